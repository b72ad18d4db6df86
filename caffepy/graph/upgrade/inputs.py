"""`input`, `input_dim` and `input_shape` of the net: now an Input layer."""

from caffepy.errors import NetError
from caffepy.graph.problem import Problem, refuse_errors
from caffepy.graph.upgrade.entry import Entry, bare, copied, copy_without
from caffepy.proto import BlobShape, LayerParameter, NetParameter, V1LayerParameter
from caffepy.proto.position import Position

ATTEMPT = "Attempting to upgrade input file specified using deprecated input fields: %s"
DONE = "Successfully upgraded file specified using deprecated input fields."

FIELDS = ("input", "input_shape", "input_dim")
AXES = 4  # input_dims that an input takes


def needed(net: NetParameter) -> bool:
    """Whether the net names inputs of its own."""
    return len(net.input) > 0


def upgrade(net: Entry[NetParameter]) -> tuple[Entry[NetParameter], list[Problem]]:
    """Put an Input layer named "input" before the others; inputs without any size are dropped.

    The problems are warnings: sizes that belong to no input. Raises NetError for too few of them.
    """
    old, position = net.message, copied(net.position)
    if not (old.input_shape or old.input_dim):
        return Entry(copy_without(old, *FIELDS), position), []
    problems = refuse_errors(_count(net), NetError)
    shapes, places = _shapes(net)
    new = copy_without(old, "layer", *FIELDS)
    layer = new.layer.add(name="input", type="Input", top=old.input)
    layer.input_param.shape.extend(shapes)
    new.layer.extend(old.layer)
    place = bare(net.place("input"), top=net.position.fields.get("input", []))
    place.fields["input_param"] = [bare(places[0], shape=places)]
    position.fields["layer"] = [place, *position.fields.get("layer", [])]
    return Entry(new, position), list(problems)


def check(net: Entry[NetParameter]) -> list[Problem]:
    """What is lost in silence where the sizes of inputs, or the inputs, are missing."""
    old = net.message
    sizes = [field for field in FIELDS[1:] if getattr(old, field)]
    if not needed(old):
        text = "is not read: the net has no `input`"
        return [net.warning(f"{field} {text}", field) for field in sizes]
    if sizes:
        return []
    layers: list[LayerParameter | V1LayerParameter] = [*old.layer, *old.layers]
    made = {blob for layer in layers for blob in layer.top if blob not in layer.bottom}
    read = {blob for layer in layers for blob in layer.bottom} - made
    text = "has neither input_shape nor input_dim, and so no size"
    return [
        net.error(f"input {blob!r} {text}", "input", index)
        for index, blob in enumerate(old.input)
        if blob in read
    ]


def _count(net: Entry[NetParameter]) -> list[Problem]:
    """Whether there are as many sizes as inputs need."""
    old, inputs = net.message, len(net.message.input)
    field, each = ("input_shape", 1) if old.input_shape else ("input_dim", AXES)
    given, must = len(getattr(old, field)), each * inputs
    text = f"has {given} {field}s for {inputs} inputs, must have {must}"
    problems = []
    if given < must:
        problems.append(net.error(f"{text}, {each} each", field))
    if given > must:
        problems.append(net.warning(f"{text}; those left over are not read", field, must))
    if old.input_shape and old.input_dim:
        text = "input_dim is not read: there is input_shape too"
        problems.append(net.warning(text, "input_dim"))
    return problems


def _shapes(net: Entry[NetParameter]) -> tuple[list[BlobShape], list[Position]]:
    """The shape of each input, and its place."""
    old, count = net.message, len(net.message.input)
    if old.input_shape:
        return list(old.input_shape[:count]), [net.place("input_shape", i) for i in range(count)]
    starts = range(0, AXES * count, AXES)
    dims = [net.position.fields.get("input_dim", [])[start : start + AXES] for start in starts]
    return (
        [BlobShape(dim=old.input_dim[start : start + AXES]) for start in starts],
        [
            bare(net.place("input_dim", start), dim=places)
            for start, places in zip(starts, dims, strict=True)
        ],
    )
