"""Caffe's own Python module, as far as it is here: the messages, as `proto.caffe_pb2`."""

from caffepy import proto as proto
