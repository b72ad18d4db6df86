"""The table of layer types: which message each reads, how many bottoms and tops it takes."""

import sys
from typing import NamedTuple


class Kind(NamedTuple):
    """What is known of a layer type before any layer is built.

    fields: the fields of LayerParameter that this type reads, besides those every layer has.
    bottoms, tops: how many it takes; tops None means as many as it has bottoms.
    auto_top: a loss may leave its top unnamed.
    in_place: a top may have the name of a bottom.
    blind: the bottoms, by place, that it has no gradient for and refuses to be asked for one.
    """

    fields: tuple[str, ...] = ()
    bottoms: range = range(1, 2)
    tops: range | None = range(1, 2)
    auto_top: bool = False
    in_place: bool = True
    blind: tuple[int, ...] = ()


def at_least(count: int) -> range:
    """Any number from `count` up."""
    return range(count, sys.maxsize)


KINDS: dict[str, Kind] = {
    "AbsVal": Kind(in_place=False),
    "Accuracy": Kind(("accuracy_param",), bottoms=range(2, 3), tops=range(1, 3), blind=(0, 1)),
    "ArgMax": Kind(("argmax_param",), blind=(0,)),
    "Axpy": Kind(bottoms=range(3, 4)),
    "BN": Kind(("bn_param",), tops=range(1, 4)),
    "BNLL": Kind(),
    "BatchNorm": Kind(("batch_norm_param",)),
    "BatchReindex": Kind(bottoms=range(2, 3), blind=(1,)),
    "Bias": Kind(("bias_param",), bottoms=range(1, 3)),
    "Clip": Kind(("clip_param",)),
    "Concat": Kind(("concat_param",), bottoms=at_least(1)),
    "ContrastiveLoss": Kind(("contrastive_loss_param",), bottoms=range(3, 4), auto_top=True),
    "Convolution": Kind(("convolution_param",), bottoms=at_least(1), tops=None),
    "ConvolutionDepthwise": Kind(("convolution_param",), bottoms=at_least(1), tops=None),
    "Crop": Kind(("crop_param",), bottoms=range(2, 3)),
    "Data": Kind(("data_param", "transform_param"), bottoms=range(1), tops=range(1, 3)),
    "Deconvolution": Kind(("convolution_param",), bottoms=at_least(1), tops=None),
    "DepthwiseConvolution": Kind(("convolution_param",), bottoms=at_least(1), tops=None),
    "DetectionOutput": Kind(("detection_output_param",), bottoms=range(3, 4)),
    "Dropout": Kind(("dropout_param",)),
    "DummyData": Kind(("dummy_data_param",), bottoms=range(1), tops=at_least(1)),
    "ELU": Kind(("elu_param",)),
    "Eltwise": Kind(("eltwise_param",), bottoms=at_least(2)),
    "Embed": Kind(("embed_param",), blind=(0,)),
    "EuclideanLoss": Kind(bottoms=range(2, 3), auto_top=True),
    "Exp": Kind(("exp_param",)),
    "Filter": Kind(bottoms=at_least(2), tops=at_least(1), blind=(-1,)),
    "Flatten": Kind(("flatten_param",), in_place=False),
    "HDF5Data": Kind(("hdf5_data_param",), bottoms=range(1), tops=at_least(1)),
    "HDF5Output": Kind(("hdf5_output_param",), bottoms=range(2, 3), tops=range(1)),
    "HingeLoss": Kind(("hinge_loss_param",), bottoms=range(2, 3), auto_top=True, blind=(1,)),
    "Im2col": Kind(("convolution_param",)),
    "ImageData": Kind(
        ("data_param", "image_data_param", "transform_param"), bottoms=range(1), tops=range(2, 3)
    ),
    "InfogainLoss": Kind(
        ("infogain_loss_param", "loss_param"),
        bottoms=range(2, 4),
        tops=range(1, 3),
        auto_top=True,
        blind=(1, 2),
    ),
    "InnerProduct": Kind(("inner_product_param",)),
    "Input": Kind(("input_param",), bottoms=range(1), tops=at_least(1)),
    "Interp": Kind(("interp_param",)),
    "L1Loss": Kind(bottoms=range(2, 3), auto_top=True),
    "LRN": Kind(("lrn_param",)),
    "LSTM": Kind(("recurrent_param",), bottoms=range(2, 6), tops=range(1, 4), blind=(1,)),
    "LSTMUnit": Kind(bottoms=range(3, 4), tops=range(2, 3)),
    "Log": Kind(("log_param",)),
    "MVN": Kind(("mvn_param",)),
    "MemoryData": Kind(
        ("memory_data_param", "transform_param"), bottoms=range(1), tops=range(2, 3)
    ),
    "MultinomialLogisticLoss": Kind(bottoms=range(2, 3), auto_top=True, blind=(1,)),
    "Normalize": Kind(("norm_param",)),
    "PReLU": Kind(("prelu_param",)),
    "PSROIPooling": Kind(("psroi_pooling_param",), bottoms=range(2, 3)),
    "Parameter": Kind(("parameter_param",), bottoms=range(1)),
    "Permute": Kind(("permute_param",)),
    "Pooling": Kind(("pooling_param",), tops=range(1, 3)),
    "Power": Kind(("power_param",)),
    "PriorBox": Kind(("prior_box_param",), bottoms=range(2, 3)),
    "Python": Kind(("python_param",), bottoms=at_least(0), tops=at_least(0)),
    "RNN": Kind(("recurrent_param",), bottoms=range(2, 5), tops=range(1, 3), blind=(1,)),
    "ROIPooling": Kind(("roi_pooling_param",), bottoms=range(2, 3)),
    "ReLU": Kind(("relu_param",)),
    "ReLU6": Kind(),
    "Reduction": Kind(("reduction_param",)),
    "Reorg": Kind(("reorg_param",)),
    "Reshape": Kind(("reshape_param",), in_place=False),
    "SPP": Kind(("spp_param",)),
    "Scale": Kind(("scale_param",), bottoms=range(1, 3)),
    "ShuffleChannel": Kind(("shuffle_channel_param",)),
    "Sigmoid": Kind(("sigmoid_param",)),
    "SigmoidCrossEntropyLoss": Kind(
        ("loss_param",), bottoms=range(2, 3), auto_top=True, blind=(1,)
    ),
    "Silence": Kind(bottoms=at_least(1), tops=range(1)),
    "Slice": Kind(("slice_param",), tops=at_least(1)),
    "SmoothL1Loss": Kind(("smooth_l1_loss_param",), bottoms=range(2, 5), auto_top=True),
    "Softmax": Kind(("softmax_param",)),
    "SoftmaxWithLoss": Kind(
        ("loss_param", "softmax_param"),
        bottoms=range(2, 3),
        tops=range(1, 3),
        auto_top=True,
        blind=(1,),
    ),
    "Split": Kind(tops=at_least(1)),
    "Swish": Kind(("swish_param",)),
    "TanH": Kind(("tanh_param",)),
    "TenCropAverage": Kind(in_place=False),
    "Threshold": Kind(("threshold_param",), blind=(0,)),
    "Tile": Kind(("tile_param",)),
    "Upsample": Kind(("upsample_param",), bottoms=range(2, 3)),
    "WindowData": Kind(
        ("data_param", "transform_param", "window_data_param"), bottoms=range(1), tops=range(2, 3)
    ),
}
