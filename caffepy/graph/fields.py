"""Fields of a layer that Caffe passes over in silence: set where they do nothing, or not set."""

from collections.abc import Iterator, Sequence

from google.protobuf.message import Message

from caffepy.graph.graph import Node
from caffepy.graph.kinds import KINDS
from caffepy.graph.problem import Problem
from caffepy.proto import TRAIN

# In V1 files these moved to transform_param by themselves; in the current format they do nothing.
MOVED = {
    "data_param": ("scale", "mean_file", "crop_size", "mirror"),
    "image_data_param": ("scale", "mean_file", "crop_size", "mirror"),
    "window_data_param": ("mean_file", "crop_size", "mirror"),
}
# What a type does not read of a message that it does read.
OTHERS = ("source", "batch_size", "backend", "rand_skip", "force_encoded_color")
AUGMENTED = (
    "crop_h",
    "crop_w",
    "distort_param",
    "lighting_std",
    "lighting_file",
    "random_resized_crop",
    "ten_crop",
)
UNREAD = {
    ("ImageData", "data_param"): OTHERS,
    ("ImageData", "transform_param"): ("force_color", "force_gray"),
    ("WindowData", "data_param"): OTHERS,
    ("WindowData", "transform_param"): ("force_color", "force_gray", "scale", *AUGMENTED),
    ("MemoryData", "transform_param"): ("force_color", "force_gray", "ten_crop"),
}
# Types whose first blob is filled by weight_filler.
LEARNED = (
    "Convolution",
    "ConvolutionDepthwise",
    "Deconvolution",
    "DepthwiseConvolution",
    "Embed",
    "InnerProduct",
    "LSTM",
    "RNN",
)


def set_fields(message: Message) -> list[str]:
    """The names of the fields that are set; of repeated ones, those that have a value."""
    return [field.name for field, _ in message.ListFields()]


def check_fields(node: Node) -> Iterator[Problem]:
    """What the messages of a layer of a known type say in vain."""
    read = KINDS[node.param.type].fields
    for field, value in node.param.ListFields():
        if field.name.endswith("_param") and field.name not in read:
            yield node.warning(f"a {node.param.type} layer does not read {field.name}", field.name)
        elif isinstance(value, Message):
            yield from _check_inner(node, field.name, value)


def _check_inner(node: Node, message: str, value: Message) -> Iterator[Problem]:
    """Fields of a message that is read which are not."""
    unread = UNREAD.get((node.param.type, message), ())
    for name in set_fields(value):
        if name in MOVED.get(message, ()):
            text = f"{message}.{name} does nothing in this format; use transform_param.{name}"
            yield node.error(text, message, name)
        elif name in unread:
            text = f"a {node.param.type} layer does not read {message}.{name}"
            yield node.warning(text, message, name)


def check_fillers(nodes: Sequence[Node]) -> Iterator[Problem]:
    """Layers in training whose weights all begin as 0, for want of a filler.

    A layer that shares its weights with one above it, or brings them in `blobs`, needs none.
    """
    owned: set[str] = set()
    for node in nodes:
        param = node.param
        if param.type in LEARNED and param.phase == TRAIN and not param.blobs:
            shared = bool(param.param) and param.param[0].name in owned
            message = KINDS[param.type].fields[0]
            if not shared and not _has_filler(node, message):
                text = f"{message}.weight_filler is not set: the weights begin as constant 0"
                yield node.warning(text, message)
        owned.update(spec.name for spec in param.param if spec.name)


def _has_filler(node: Node, message: str) -> bool:
    return any(
        field.name == message and value.HasField("weight_filler")
        for field, value in node.param.ListFields()
    )
