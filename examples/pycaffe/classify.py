"""What an image file shows: a net to deploy, a Transformer before it, the five best classes."""

import caffe
import digits
import numpy as np
from PIL import Image

images, labels = digits.load("test")
photo = str(digits.OUT / "photo.png")
Image.fromarray(images[0, 0].astype(np.uint8)).resize((40, 40)).save(photo)

net = caffe.Net(digits.LENET, digits.WEIGHTS, caffe.TEST)

# load_image gives (height, width, 1) from 0 to 1; the net takes (1, 16, 16), as it was trained.
transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
transformer.set_transpose("data", (2, 0, 1))
transformer.set_raw_scale("data", 255)
transformer.set_mean("data", np.array([digits.MEAN]))
transformer.set_input_scale("data", digits.SCALE)
image = caffe.io.load_image(photo, color=False)
net.blobs["data"].data[...] = transformer.preprocess("data", image)

prob = net.forward()["prob"][0]
print(f"{photo} shows a {labels[0]:.0f}")
for digit in prob.argsort()[::-1][:5]:
    print(f"{digit}  {prob[digit]:.4f}")
