"""caffe.io: images, what is done to them before a net, and messages as arrays."""

from caffepy.proto import caffe_pb2 as caffe_pb2
from caffepy.pycaffe.images import load_image as load_image
from caffepy.pycaffe.images import oversample as oversample
from caffepy.pycaffe.images import resize_image as resize_image
from caffepy.pycaffe.messages import array_to_blobproto as array_to_blobproto
from caffepy.pycaffe.messages import array_to_datum as array_to_datum
from caffepy.pycaffe.messages import (
    arraylist_to_blobprotovector_str as arraylist_to_blobprotovector_str,
)
from caffepy.pycaffe.messages import blobproto_to_array as blobproto_to_array
from caffepy.pycaffe.messages import (
    blobprotovector_str_to_arraylist as blobprotovector_str_to_arraylist,
)
from caffepy.pycaffe.messages import datum_to_array as datum_to_array
from caffepy.pycaffe.transformer import Transformer as Transformer
