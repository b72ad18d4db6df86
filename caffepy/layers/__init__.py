"""The layers, one Caffe type a file; importing this package registers them all."""

from caffepy.layers import accuracy as accuracy
from caffepy.layers import convolution as convolution
from caffepy.layers import data as data
from caffepy.layers import detection_output as detection_output
from caffepy.layers import dropout as dropout
from caffepy.layers import hdf5_data as hdf5_data
from caffepy.layers import inner_product as inner_product
from caffepy.layers import input as input
from caffepy.layers import pooling as pooling
from caffepy.layers import prior_box as prior_box
from caffepy.layers import psroi_pooling as psroi_pooling
from caffepy.layers import relu as relu
from caffepy.layers import roi_pooling as roi_pooling
from caffepy.layers import silence as silence
from caffepy.layers import softmax as softmax
from caffepy.layers import softmax_loss as softmax_loss
from caffepy.layers import split as split
from caffepy.layers import tanh as tanh
