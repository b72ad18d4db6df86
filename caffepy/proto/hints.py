"""What may have been meant by a field that a message of a prototxt does not have."""

from google.protobuf.descriptor import Descriptor

from caffepy.errors import near
from caffepy.proto.forks import field_hint

# Fields of `layers`, the old format, and where `layer` has them.
OLD = {
    "blobs_lr": "lr_mult: ...",
    "weight_decay": "decay_mult: ...",
    "blob_share_mode": "share_mode: ...",
}
FILES = {"NetParameter": "net", "SolverParameter": "solver"}
LAYERS = ("LayerParameter", "V1LayerParameter")


def unknown_field(message: Descriptor, name: str) -> str:
    """A hint to end an error with, such as near names, or the message that has the field; or ""."""
    return (
        field_hint(message.name, name)
        or _old_format(message, name)
        or _other_file(message, name)
        or near(name, message.fields_by_name)
        or _inside(message, name)
    )


def _old_format(message: Descriptor, name: str) -> str:
    if message.name != "LayerParameter" or name not in OLD:
        return ""
    return f"; only the old `layers` has it, in `layer` it is param {{ {OLD[name]} }}"


def _other_file(message: Descriptor, name: str) -> str:
    """Whether a net is read as a solver, or the other way around."""
    messages = message.file.message_types_by_name
    if message.name not in FILES or name in messages["LayerParameter"].fields_by_name:
        return ""
    for other, word in FILES.items():
        if name in messages[other].fields_by_name:
            return f"; {other} has: is this the file of a {word}?"
    return ""


def _inside(message: Descriptor, name: str) -> str:
    """The settings of a layer that take a field which stands beside them."""
    inner = [
        field.name
        for field in message.fields
        if field.message_type is not None and name in field.message_type.fields_by_name
    ]
    if message.name not in LAYERS or not inner:
        return ""
    more = " ..." if len(inner) > 4 else ""
    return f"; it belongs inside {' or '.join(inner[:4])}{more}"
