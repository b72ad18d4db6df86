"""Gradients by the image: one that a class likes, and one that shows more of what a layer sees."""

import caffe
import digits
import numpy as np
from PIL import Image

CLASS, STEPS = 3, 30

# Backward reaches the image only where it is told to, as in Caffe.
param = digits.lenet_to_deploy()
param.force_backward = True
path = digits.write("lenet_backward", param)
net = caffe.Net(path, digits.WEIGHTS, caffe.TEST)
image = net.blobs["data"]


def step(rate: float) -> None:
    """Move the image along its gradient, as far whatever the gradient's size, within grey values."""
    image.data[...] += rate * image.diff / np.abs(image.diff).mean()
    image.data[...] = np.clip(image.data, *digits.as_input(np.float32([0, 255])))


# Up the score of one class: the gradient of that score is 1 at ip2.
image.data[...] = digits.as_input(np.full(image.data.shape, 128, np.float32))
print(f"grey: {net.forward()['prob'][0, CLASS]:.3f} for {CLASS}")
for _ in range(STEPS):
    net.forward(end="ip2")
    net.blobs["ip2"].diff[...] = 0
    net.blobs["ip2"].diff[0, CLASS] = 1
    net.backward(start="ip2")
    step(0.02)
print(f"after {STEPS} steps: {net.forward()['prob'][0, CLASS]:.3f}")
pixels = (image.data[0, 0] / digits.SCALE + digits.MEAN).round().astype(np.uint8)
Image.fromarray(pixels).resize((160, 160)).save(digits.OUT / "ascent.png")

# As dreams are made: whatever a layer sees in an image, more of it.
images, _ = digits.load("test")
image.data[...] = digits.as_input(images[:1])
for number in range(4):
    seen = net.forward(end="conv2")["conv2"]
    print(f"step {number}: conv2 of length {np.linalg.norm(seen):.2f}")
    net.blobs["conv2"].diff[...] = seen
    net.backward(start="conv2", end="conv1")
    step(0.03)
