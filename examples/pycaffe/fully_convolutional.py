"""A classifier becomes fully convolutional, and scores every place of a larger image at once."""

import caffe
import digits
import numpy as np

# Each InnerProduct becomes a Convolution: the first as large as what it saw, the next 1x1. They
# get new names, or copying weights by name would refuse those of another shape.
NEW = {"ip1": ("ip1-conv", 2), "ip2": ("ip2-conv", 1)}
param = digits.lenet_to_deploy()
for layer in param.layer:
    if layer.name in NEW:
        layer.name, kernel_size = NEW[layer.name]
        layer.type = "Convolution"
        layer.convolution_param.num_output = layer.inner_product_param.num_output
        layer.convolution_param.kernel_size.append(kernel_size)
        layer.ClearField("inner_product_param")
    elif layer.type == "Input":
        layer.input_param.shape[0].dim[2:] = [2 * digits.SIDE, 3 * digits.SIDE]
path = digits.write("lenet_conv", param)

classifier = caffe.Net(digits.LENET, digits.WEIGHTS, caffe.TEST)
net = caffe.Net(path, digits.WEIGHTS, caffe.TEST)  # conv1 and conv2 get theirs
for old, (new, _) in NEW.items():
    for source, target in zip(classifier.params[old], net.params[new], strict=True):
        target.data.flat = source.data.flat
        print(f"{old} {source.data.shape} -> {new} {target.data.shape}")

# Six digits in two rows. The scores have a place every 4 pixels, so every fourth is a whole digit.
images, labels = digits.load("test")
tiles = images[10:16].reshape(2, 3, digits.SIDE, digits.SIDE)
sheet = tiles.swapaxes(1, 2).reshape(1, 1, 2 * digits.SIDE, 3 * digits.SIDE)
prob = net.forward(data=digits.as_input(sheet))["prob"]
print("scores", prob.shape)
whole = prob[0, :, ::4, ::4]
print("the sheet shows", labels[10:16].astype(int).reshape(2, 3).tolist())
print("the map says   ", whole.argmax(0).tolist())

alone = classifier.forward_all(data=digits.as_input(images[10:16]))["prob"]
print("as the classifier:", np.allclose(whole.reshape(10, 6).T, alone, atol=1e-5))
