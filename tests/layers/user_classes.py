"""A module of Python layers, as users of Caffe write them."""

from pathlib import Path

MODULE = '''
import json

import caffe
import numpy as np


class EuclideanLoss(caffe.Layer):
    """The loss of Caffe's own example: sum (a - b)^2 / (2 N)."""

    def setup(self, bottom, top):
        if len(bottom) != 2:
            raise Exception("Need two inputs to compute distance.")

    def reshape(self, bottom, top):
        if bottom[0].count != bottom[1].count:
            raise Exception("Inputs must have the same dimension.")
        self.diff = np.zeros_like(bottom[0].data, dtype=np.float32)
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.diff[...] = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.diff**2) / bottom[0].num / 2.0

    def backward(self, top, propagate_down, bottom):
        self.asked = list(propagate_down)
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                bottom[i].diff[...] = sign * top[0].diff * self.diff / bottom[i].num


class Scaled(caffe.Layer):
    """y = w x, with a learned w that starts where param_str says; the second top is w."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = json.loads(self.param_str)["start"]

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)
        if len(top) > 1:
            top[1].reshape()

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data[0] * bottom[0].data
        if len(top) > 1:
            top[1].data[()] = self.blobs[0].data[0]

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[0] += np.sum(top[0].diff * bottom[0].data)
        if propagate_down[0]:
            bottom[0].diff[...] = self.blobs[0].data[0] * top[0].diff


class Rows(caffe.Layer):
    """A data layer: rows of x and of (3 x0, -x1), the count of batches in its phase behind them."""

    def setup(self, bottom, top):
        self.batches = 0

    def reshape(self, bottom, top):
        top[0].reshape(4, 3)
        top[1].reshape(4, 2)

    def forward(self, bottom, top):
        x = np.random.default_rng([self.batches, self.phase]).normal(size=(4, 3))
        self.batches += 1
        top[0].data[...] = x
        top[1].data[...] = x[:, :2] * [3, -1]

    def backward(self, top, propagate_down, bottom):
        pass


class Phase(caffe.Layer):
    def setup(self, bottom, top):
        top[0].reshape()

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        top[0].data[()] = self.phase


class Watch(caffe.Layer):
    """Has no tops; keeps what it sees."""

    def setup(self, bottom, top):
        self.seen = []

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        self.seen.append(bottom[0].data.copy())


class Fails(caffe.Layer):
    """Fails in the method that param_str names."""

    def setup(self, bottom, top):
        self.fail("setup")

    def reshape(self, bottom, top):
        self.fail("reshape")
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        self.fail("forward")

    def backward(self, top, propagate_down, bottom):
        self.fail("backward")

    def fail(self, method):
        if method == self.param_str:
            raise KeyError("anchors")


class Halfway(caffe.Layer):
    def setup(self, bottom, top):
        pass

    def forward(self, bottom, top):
        pass


class Bystander:
    pass
'''


def write_classes(folder: Path) -> Path:
    """Write the module `classes` into a folder."""
    path = folder / "classes.py"
    path.write_text(MODULE)
    return path


def python_layer(name: str, layer: str, wiring: str, param_str: str = "") -> str:
    """The prototxt of a Python layer, without the braces around it."""
    return (
        f'name: "{name}" type: "Python" {wiring} '
        f"python_param {{ module: 'classes' layer: '{layer}' param_str: '{param_str}' }}"
    )
