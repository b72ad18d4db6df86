"""Net surgery: a convolution whose filters are not learned but written, and read back."""

import caffe
import digits
import numpy as np
from caffe import layers as L

n = caffe.NetSpec()
n.data = L.Input(shape={"dim": [1, 1, 32, 32]})
n.conv = L.Convolution(
    n.data, num_output=3, kernel_size=5, weight_filler={"type": "gaussian", "std": 0.01}
)
path = digits.write("edges", n.to_proto())
caffe.set_random_seed(1)
net = caffe.Net(path, caffe.TEST)
for name, (weights, bias) in net.params.items():
    print(f"{name}: weights {weights.data.shape}, bias {bias.data.shape}")

# A bright square, 12x12, with its corner at (10, 10).
net.blobs["data"].data[0, 0, 10:22, 10:22] = 1

# What is written into `data` is what the layer computes with: a blur, and edges of two directions.
bump = np.array([1, 4, 6, 4, 1])
slope = np.array([-1, -2, 0, 2, 1])
filters = net.params["conv"][0].data
filters[0, 0] = np.outer(bump, bump) / 256
filters[1, 0] = np.outer(bump, slope)  # dark to bright, from left to right
filters[2, 0] = np.outer(slope, bump)  # from top to bottom
blurred, across, down = net.forward()["conv"][0].copy()
print("blurred:", blurred[14, 14], "within,", blurred[14, 8], "at an edge")
print("left and right edge:", across[14].argmax(), across[14].argmin())
print("top and bottom edge:", down[:, 14].argmax(), down[:, 14].argmin())

# A bias of 1 raises all of its map by 1.
net.params["conv"][1].data[0] = 1
print("raised by", (net.forward()["conv"][0, 0] - blurred).mean())
