"""The table of layer types: which message each reads, how many bottoms and tops it takes."""

import sys
from typing import NamedTuple


class Kind(NamedTuple):
    """What is known of a layer type before any layer is built.

    fields: the fields of LayerParameter that this type reads, besides those every layer has.
    bottoms, tops: how many it takes; tops None means as many as it has bottoms.
    auto_top: a loss may leave its top unnamed.
    """

    fields: tuple[str, ...] = ()
    bottoms: range = range(1, 2)
    tops: range | None = range(1, 2)
    auto_top: bool = False


def at_least(count: int) -> range:
    """Any number from `count` up."""
    return range(count, sys.maxsize)


KINDS: dict[str, Kind] = {
    "Accuracy": Kind(("accuracy_param",), bottoms=range(2, 3), tops=range(1, 3)),
    "Convolution": Kind(("convolution_param",), bottoms=at_least(1), tops=None),
    "Data": Kind(("data_param", "transform_param"), bottoms=range(1), tops=range(1, 3)),
    "DetectionOutput": Kind(("detection_output_param",), bottoms=range(3, 4)),
    "Dropout": Kind(("dropout_param",)),
    "HDF5Data": Kind(("hdf5_data_param",), bottoms=range(1), tops=at_least(1)),
    "InnerProduct": Kind(("inner_product_param",)),
    "Input": Kind(("input_param",), bottoms=range(1), tops=at_least(1)),
    "PSROIPooling": Kind(("psroi_pooling_param",), bottoms=range(2, 3)),
    "Pooling": Kind(("pooling_param",), tops=range(1, 3)),
    "PriorBox": Kind(("prior_box_param",), bottoms=range(2, 3)),
    "ROIPooling": Kind(("roi_pooling_param",), bottoms=range(2, 3)),
    "ReLU": Kind(("relu_param",)),
    "Silence": Kind(bottoms=at_least(1), tops=range(1)),
    "Softmax": Kind(("softmax_param",)),
    "SoftmaxWithLoss": Kind(
        ("loss_param", "softmax_param"), bottoms=range(2, 3), tops=range(1, 3), auto_top=True
    ),
    "Split": Kind(tops=at_least(1)),
    "TanH": Kind(("tanh_param",)),
}
