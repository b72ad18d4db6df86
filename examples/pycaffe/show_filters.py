"""What a net has learned to look for, and what it sees in an image, as PNG files."""

import math

import caffe
import digits
import numpy as np
from PIL import Image

ZOOM = 8


def sheet(tiles: digits.Floats) -> Image.Image:
    """Tiles (n, height, width), black to white, in rows, with white lines between them."""
    count, height, width = tiles.shape
    columns = math.isqrt(count - 1) + 1
    rows = math.ceil(count / columns)
    whole = np.ones((rows * columns, height + 1, width + 1))
    whole[:count, :height, :width] = (tiles - tiles.min()) / (tiles.max() - tiles.min())
    whole = whole.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2)
    pixels = whole.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]
    image = Image.fromarray((255 * pixels).round().astype(np.uint8))
    return image.resize((ZOOM * image.width, ZOOM * image.height), Image.Resampling.NEAREST)


images, labels = digits.load("test")
net = caffe.Net(digits.LENET, digits.WEIGHTS, caffe.TEST)
net.forward(data=digits.as_input(images[:1]))
for name, tiles in (
    ("conv1_filters", net.params["conv1"][0].data[:, 0]),
    ("conv1_maps", net.blobs["conv1"].data[0]),
    ("pool2_maps", net.blobs["pool2"].data[0]),
):
    image = sheet(tiles)
    image.save(digits.OUT / f"{name}.png")
    print(f"{name}.png: {len(tiles)} tiles, {image.width}x{image.height} pixels")
