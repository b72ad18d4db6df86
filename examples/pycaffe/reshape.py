"""Other input sizes: more images at once, larger images, and the one layer that minds."""

import caffe
import digits
import numpy as np
from caffe import layers as L
from caffe import params as P

# More images at once: forward follows what the input was reshaped to.
images, labels = digits.load("test")
net = caffe.Net(digits.LENET, digits.WEIGHTS, caffe.TEST)
for count in (1, 5, 360):
    net.blobs["data"].reshape(count, 1, digits.SIDE, digits.SIDE)
    net.blobs["data"].data[...] = digits.as_input(images[:count])
    right = net.forward()["prob"].argmax(1) == labels[:count]
    print(f"{count} images -> {net.blobs['prob'].data.shape}, {np.mean(right):.0%} right")

# Larger images: an InnerProduct has a weight for each pixel, and says what does not fit.
net.blobs["data"].reshape(1, 1, 32, 48)
try:
    net.reshape()
except RuntimeError as error:
    print("refused:", str(error).partition("\n")[0])

# A net that ends in the mean over all places takes any size.
n = caffe.NetSpec()
n.data = L.Input(shape={"dim": [1, 1, 16, 16]})
n.conv = L.Convolution(n.data, kernel_size=3, num_output=7, weight_filler={"type": "xavier"})
n.mean = L.Pooling(n.conv, pool=P.Pooling.AVE, global_pooling=True)
path = digits.write("any_size", n.to_proto())
net = caffe.Net(path, caffe.TEST)
net.blobs["data"].reshape(1, 1, 32, 48)
net.reshape()  # shapes alone, nothing is computed
print({name: blob.data.shape for name, blob in net.blobs.items()})
