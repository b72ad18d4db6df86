"""A small net to classify with, and images, as files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import caffepy.pycaffe as caffe

NET = """
name: "tiny"
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


def write_net(folder: Path, text: str = NET) -> tuple[str, str]:
    """The prototxt and the weights of a net whose scores are softmax(W x)."""
    prototxt, weights = folder / "deploy.prototxt", folder / "net.caffemodel"
    prototxt.write_text(text)
    caffe.Net(str(prototxt), caffe.TEST).save(str(weights))
    return str(prototxt), str(weights)


def expected(net: caffe.Net, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scores of a net of NET for inputs (N, 3, 6, 6)."""
    weight, bias = (blob.data for blob in net.params["ip"])
    powers = np.exp(inputs.reshape(len(inputs), -1) @ weight.T + bias)
    scores: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
    return scores


def write_image(path: Path, height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """A PNG of random pixels; as `load_image` reads it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return caffe.io.load_image(path)
