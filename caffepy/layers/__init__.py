"""The layers, one Caffe type a file; importing this package registers them all."""

from caffepy.layers import accuracy as accuracy
from caffepy.layers import contrastive_loss as contrastive_loss
from caffepy.layers import convolution as convolution
from caffepy.layers import data as data
from caffepy.layers import dropout as dropout
from caffepy.layers import euclidean_loss as euclidean_loss
from caffepy.layers import hdf5_data as hdf5_data
from caffepy.layers import hinge_loss as hinge_loss
from caffepy.layers import infogain_loss as infogain_loss
from caffepy.layers import inner_product as inner_product
from caffepy.layers import input as input
from caffepy.layers import l1_loss as l1_loss
from caffepy.layers import multinomial_logistic_loss as multinomial_logistic_loss
from caffepy.layers import pooling as pooling
from caffepy.layers import relu as relu
from caffepy.layers import sigmoid_cross_entropy_loss as sigmoid_cross_entropy_loss
from caffepy.layers import silence as silence
from caffepy.layers import smooth_l1_loss as smooth_l1_loss
from caffepy.layers import softmax as softmax
from caffepy.layers import softmax_loss as softmax_loss
from caffepy.layers import split as split
from caffepy.layers import tanh as tanh
