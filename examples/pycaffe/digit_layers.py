"""Python layers that python_layers.py puts into a net: data, labels as vectors, and a loss."""

import json

import caffe
import digits
import numpy as np


class Digits(caffe.Layer):
    """Batches of digits: shuffled anew in each epoch in phase TRAIN, in order in phase TEST.

    param_str, JSON: batch_size. Tops: images (n, 1, 16, 16), labels (n,). `epoch` and `position`
    are its state, which scripts can look at.
    """

    def setup(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """Read the settings and the digits."""
        if bottom or len(top) != 2:
            raise ValueError("Digits takes no bottoms, and makes images and labels")
        self.batch_size = json.loads(self.param_str)["batch_size"]
        self.images, self.labels = digits.load("train" if self.phase == caffe.TRAIN else "test")
        self.images = digits.as_input(self.images)
        self.random = np.random.default_rng(0)
        self.order = np.arange(len(self.labels))
        self.epoch, self.position = -1, len(self.order)

    def reshape(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """Every batch is as large."""
        top[0].reshape(self.batch_size, *self.images.shape[1:])
        top[1].reshape(self.batch_size)

    def forward(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """Hand out the next batch; what is left of an epoch and fills none is skipped."""
        if self.position + self.batch_size > len(self.order):
            self.epoch, self.position = self.epoch + 1, 0
            if self.phase == caffe.TRAIN:
                self.random.shuffle(self.order)
        rows = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        top[0].data[...] = self.images[rows]
        top[1].data[...] = self.labels[rows]

    def backward(
        self, top: list[caffe.Blob], propagate_down: list[bool], bottom: list[caffe.Blob]
    ) -> None:
        """Data takes no gradient."""


class OneHot(caffe.Layer):
    """Labels (n,) as vectors (n, 10): 1 at the label, 0 elsewhere."""

    def setup(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """There is nothing to set up."""

    def reshape(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """A vector for each label."""
        top[0].reshape(bottom[0].num, 10)

    def forward(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """Compare each label with each class."""
        top[0].data[...] = bottom[0].data[:, None] == np.arange(10)

    def backward(
        self, top: list[caffe.Blob], propagate_down: list[bool], bottom: list[caffe.Blob]
    ) -> None:
        """Labels take no gradient."""
        if propagate_down[0]:
            raise ValueError("OneHot: labels cannot be learned")


class Euclidean(caffe.Layer):
    """Half the mean over the batch of the squared distance of two bottoms, (n, ...)."""

    def setup(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """Take two bottoms."""
        if len(bottom) != 2:
            raise ValueError(f"Euclidean takes 2 bottoms, not {len(bottom)}")

    def reshape(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """The loss is one number."""
        if bottom[0].count != bottom[1].count:
            raise ValueError(f"{bottom[0].data.shape} and {bottom[1].data.shape} have no distance")
        top[0].reshape(1)

    def forward(self, bottom: list[caffe.Blob], top: list[caffe.Blob]) -> None:
        """Sum of d² / 2n."""
        self.difference = bottom[0].data - bottom[1].data
        top[0].data[...] = np.sum(self.difference**2) / bottom[0].num / 2

    def backward(
        self, top: list[caffe.Blob], propagate_down: list[bool], bottom: list[caffe.Blob]
    ) -> None:
        """d / n towards the first, -d / n towards the second, times the weight of the loss."""
        for which, sign in ((0, 1), (1, -1)):
            if propagate_down[which]:
                scale = sign * top[0].diff[0] / bottom[which].num
                bottom[which].diff[...] = scale * self.difference
