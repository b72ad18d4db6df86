"""V0 layers, `layers { layer { type: "conv" ... } bottom: ... }`, the format of 2013."""

from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.message import Message

from caffepy.errors import NetError, near
from caffepy.graph.fields import set_fields
from caffepy.graph.problem import Problem, refuse_errors
from caffepy.graph.upgrade.entry import Entry, bare, carry, copied, copy_without, layers_of
from caffepy.graph.upgrade.padding import merge_padding
from caffepy.proto import NetParameter, V1LayerParameter

ATTEMPT = "Attempting to upgrade input file specified using deprecated V0LayerParameter: %s"
DONE = "Successfully upgraded file specified using deprecated V0LayerParameter"


class Kind(NamedTuple):
    """What becomes of a type: its V1 type, the message of its settings, and which those are."""

    type: "V1LayerParameter.LayerType"
    message: str = ""
    fields: str = ""  # names with spaces between


V1 = V1LayerParameter
KINDS = {
    "accuracy": Kind(V1.ACCURACY),
    "bnll": Kind(V1.BNLL),
    "concat": Kind(V1.CONCAT, "concat_param", "concat_dim"),
    "conv": Kind(
        V1.CONVOLUTION,
        "convolution_param",
        "num_output biasterm weight_filler bias_filler pad kernelsize group stride",
    ),
    "data": Kind(V1.DATA, "data_param", "source batchsize rand_skip"),
    "dropout": Kind(V1.DROPOUT, "dropout_param", "dropout_ratio"),
    "euclidean_loss": Kind(V1.EUCLIDEAN_LOSS),
    "flatten": Kind(V1.FLATTEN),
    "hdf5_data": Kind(V1.HDF5_DATA, "hdf5_data_param", "source batchsize"),
    "hdf5_output": Kind(V1.HDF5_OUTPUT, "", "hdf5_output_param"),
    "im2col": Kind(V1.IM2COL),
    "images": Kind(
        V1.IMAGE_DATA,
        "image_data_param",
        "source batchsize rand_skip shuffle_images new_height new_width",
    ),
    "infogain_loss": Kind(V1.INFOGAIN_LOSS, "infogain_loss_param", "source"),
    "innerproduct": Kind(
        V1.INNER_PRODUCT, "inner_product_param", "num_output biasterm weight_filler bias_filler"
    ),
    "lrn": Kind(V1.LRN, "lrn_param", "local_size alpha beta k"),
    "multinomial_logistic_loss": Kind(V1.MULTINOMIAL_LOGISTIC_LOSS),
    "pool": Kind(V1.POOLING, "pooling_param", "pool kernelsize stride pad"),
    "relu": Kind(V1.RELU),
    "sigmoid": Kind(V1.SIGMOID),
    "softmax": Kind(V1.SOFTMAX),
    "softmax_loss": Kind(V1.SOFTMAX_LOSS),
    "split": Kind(V1.SPLIT),
    "tanh": Kind(V1.TANH),
    "window_data": Kind(
        V1.WINDOW_DATA,
        "window_data_param",
        "source batchsize det_fg_threshold det_bg_threshold det_fg_fraction det_context_pad "
        "det_crop_mode",
    ),
}
# Fields that layers of every type have, and where they are in V1.
COMMON = {
    "name": ("name",),
    "blobs": ("blobs",),
    "blobs_lr": ("blobs_lr",),
    "weight_decay": ("weight_decay",),
    "scale": ("transform_param", "scale"),
    "meanfile": ("transform_param", "mean_file"),
    "cropsize": ("transform_param", "crop_size"),
    "mirror": ("transform_param", "mirror"),
}
# Settings that have another name in V1.
RENAMED = {
    "biasterm": "bias_term",
    "kernelsize": "kernel_size",
    "batchsize": "batch_size",
    "shuffle_images": "shuffle",
    "det_fg_threshold": "fg_threshold",
    "det_bg_threshold": "bg_threshold",
    "det_fg_fraction": "fg_fraction",
    "det_context_pad": "context_pad",
    "det_crop_mode": "crop_mode",
}


def needed(net: NetParameter) -> bool:
    """Whether any of the net's `layers` holds a V0 layer."""
    return any(layer.HasField("layer") for layer in net.layers)


def upgrade(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """Turn V0 layers into V1 layers; the problems: what the new format has no place for.

    Raises NetError for unknown types and misused padding layers, a line for each.
    """
    kept, problems = merge_padding(layers_of(net))
    new = copy_without(net.message, "layers")
    places = []
    for old in kept:
        layer = Entry(new.layers.add(), bare(old.position))
        problems += _upgrade_layer(old, layer)
        places.append(layer.position)
    lost = [problem for old in kept for problem in _lost(old)]
    refuse_errors(problems, NetError)
    return Entry(new, copied(net.position, layers=places)), [*problems, *lost]


def _upgrade_layer(old: Entry[V1LayerParameter], new: Entry[V1LayerParameter]) -> Iterator[Problem]:
    """Fill a V1 layer from a V0 layer and its bottoms and tops."""
    for field in ("bottom", "top"):
        carry(old, field, new, field)
    inner = Entry(old.message.layer, old.place("layer"))
    name, type_ = old.message.layer.name, old.message.layer.type
    if old.message.layer.HasField("type") and type_ not in KINDS:
        text = f"layer {name!r}: Unknown layer name: {type_}{near(type_, KINDS)}"
        yield inner.error(f"{text} (V0 types: {', '.join(KINDS)}, padding)", "type")
        return
    kind = KINDS.get(type_, Kind(V1LayerParameter.NONE))
    for field in set_fields(inner.message):
        path = _path(kind, field)
        if field == "type":
            new.message.type = kind.type
            new.position.fields["type"] = [inner.place("type")]
        elif path is None:
            yield inner.warning(f"layer {name!r}: {type_} takes no {field}: it is left out", field)
        else:
            yield from _carry(inner, field, new, path)


def _path(kind: Kind, field: str) -> tuple[str, ...] | None:
    """Where a field of a V0 layer is in V1; None for one that its type does not have."""
    if field in COMMON:
        return COMMON[field]
    if field not in kind.fields.split():
        return None
    new = RENAMED.get(field, field)
    return (kind.message, new) if kind.message else (new,)


def _carry(
    old: Entry[Message], field: str, new: Entry[Message], path: tuple[str, ...]
) -> Iterator[Problem]:
    try:
        carry(old, field, new, *path)
    except ValueError as error:
        yield old.error(f"{field}: {error}", field)


def _lost(old: Entry[V1LayerParameter]) -> Iterator[Problem]:
    """What stands beside a V0 layer, or in its place: where one layer is V0, so are all."""
    lost = [field for field in set_fields(old.message) if field not in ("layer", "bottom", "top")]
    if not lost:
        return
    if old.message.HasField("layer"):
        name, text = old.message.layer.name, "beside `layer { ... }`: left out, as by Caffe"
        yield old.warning(f"layer {name!r}: {', '.join(lost)} {text}", lost[0])
    else:
        text = "is a V1 layer in a net with V0 layers; write each of them in the same format"
        yield old.error(f"layer {old.message.name!r} {text}")
