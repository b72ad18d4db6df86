"""What the scripts of this folder have in common: digits, and where files go."""

from pathlib import Path

import numpy as np
from caffe.proto import caffe_pb2
from google.protobuf import text_format
from google.protobuf.message import Message
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

Floats = NDArray[np.float32]

OUT = Path("demo/pycaffe")  # in the current folder: all that the scripts write
OUT.mkdir(parents=True, exist_ok=True)

# What learn_lenet.py leaves for the others: a net that takes (grey value - MEAN) * SCALE.
LENET, WEIGHTS = str(OUT / "lenet_deploy.prototxt"), str(OUT / "lenet.caffemodel")
MEAN, SCALE = 78, 1 / 256
SIDE = 16  # pixels

TEST_IMAGES = 360
BRIGHTEST = 16


def load(part: str) -> tuple[Floats, Floats]:
    """scikit-learn's digits of a part, "train" (1437) or "test" (360).

    The images, (n, 1, 16, 16) from 0 to 255, and which digit each shows, (n,), shuffled once and
    for all.
    """
    digits = load_digits()
    order = np.random.default_rng(1).permutation(len(digits.target))
    order = order[TEST_IMAGES:] if part == "train" else order[:TEST_IMAGES]
    small = (digits.images[order] * (255 / BRIGHTEST)).round().astype(np.uint8)
    images = [Image.fromarray(image).resize((SIDE, SIDE)) for image in small]
    return np.stack(images)[:, None].astype(np.float32), digits.target[order].astype(np.float32)


def as_input(images: Floats) -> Floats:
    """Grey values from 0 to 255 as the net takes them."""
    return (images - MEAN) * np.float32(SCALE)


def write(name: str, message: Message) -> str:
    """Write a net or a solver as a prototxt; its path."""
    path = OUT / f"{name}.prototxt"
    path.write_text(str(message))
    return str(path)


def lenet_to_deploy() -> caffe_pb2.NetParameter:
    """The net that learn_lenet.py left, to make another of it."""
    return text_format.Parse(Path(LENET).read_text(), caffe_pb2.NetParameter())
