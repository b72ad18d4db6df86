"""V1 layers, `layers { type: CONVOLUTION blobs_lr: 1 ... }`, the format of 2014."""

from caffepy.errors import NetError
from caffepy.graph.problem import Problem, refuse_errors
from caffepy.graph.upgrade.entry import Entry, bare, carry, copied, copy_without, layers_of
from caffepy.proto import LayerParameter, NetParameter, V1LayerParameter
from caffepy.proto.position import Position

ATTEMPT = "Attempting to upgrade input file specified using deprecated V1LayerParameter: %s"
DONE = "Successfully upgraded file specified using deprecated V1LayerParameter"

TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}
# Lists with a value a blob, and the field of ParamSpec that each value is now.
SPECS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}


def needed(net: NetParameter) -> bool:
    """Whether the net has `layers`."""
    return len(net.layers) > 0


def upgrade(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """Turn each of `layers`, none of which holds a V0 layer, into a `layer`.

    Raises NetError for a net that has both.
    """
    if net.message.layer:
        text = "has both `layers` and `layer`; a net may have only one of the two formats"
        refuse_errors([net.error(text, "layers")], NetError)
    new = copy_without(net.message, "layers")
    places = [_upgrade_layer(old, new.layer.add()) for old in layers_of(net)]
    position = copied(net.position, layer=places)
    position.fields.pop("layers", None)
    return Entry(new, position), []


def _upgrade_layer(old: Entry[V1LayerParameter], new: LayerParameter) -> Position:
    """Fill a new layer; the place of it."""
    layer = Entry(new, bare(old.position))
    for field, value in old.message.ListFields():
        if field.name in SPECS:
            _add_specs(old, field.name, layer)
        elif field.name == "type":
            new.type = TYPES[V1LayerParameter.LayerType.Name(value)]
            layer.position.fields["type"] = [old.place("type")]
        else:
            carry(old, field.name, layer, field.name)
    return layer.position


def _add_specs(old: Entry[V1LayerParameter], field: str, layer: Entry[LayerParameter]) -> None:
    """Spread the values of a list over the ParamSpecs of the blobs."""
    places = layer.position.fields.setdefault("param", [])
    for index, value in enumerate(getattr(old.message, field)):
        place = old.place(field, index)
        if index == len(layer.message.param):
            layer.message.param.add()
            places.append(bare(place))
        setattr(layer.message.param[index], SPECS[field], value)
        places[index].fields[SPECS[field]] = [place]
