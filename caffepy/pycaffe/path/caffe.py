"""`import caffe` in the processes of a program in which caffepy was installed as `caffe`."""

from caffepy.pycaffe.alias import install

install()
