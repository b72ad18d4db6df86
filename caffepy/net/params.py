"""The parameters of a net: what the solver learns, and which layers share one blob by name."""

from dataclasses import dataclass

from torch import Tensor, nn

from caffepy.blob import ParameterBlob
from caffepy.layers.layer import Layer
from caffepy.proto import ParamSpec


@dataclass
class Learnable:
    """One blob that the solver updates: the first layer that holds it is its owner.

    lr_mult scales the learning rate, decay_mult the weight decay; where lr_mult is 0 the blob is
    frozen and its gradient is not computed.
    """

    param: nn.Parameter
    spec: ParamSpec
    layer: str
    index: int

    @property
    def lr_mult(self) -> float:
        """The factor on the solver's learning rate."""
        return self.spec.lr_mult

    @property
    def decay_mult(self) -> float:
        """The factor on the solver's weight decay."""
        return self.spec.decay_mult


class BlobTable:
    """Every layer's blobs in Caffe's order, and their owners.

    Caffe: Net::AppendParam in src/caffe/net.cpp.
    """

    def __init__(self) -> None:
        self.learnable: list[Learnable] = []
        self._owners: dict[str, Learnable] = {}
        self._blobs: list[list[nn.Parameter]] = []
        self._shapes: list[list[tuple[int, ...]]] = []

    def append(self, layer: Layer) -> None:
        """Enter the next layer's blobs; one that shares by name gives up its own for the owner's."""
        names = [name for name, _ in layer.named_parameters()]
        specs = layer.param.param
        if len(specs) > len(names):
            raise layer.error(
                f"{len(specs)} param entries, but the layer has {len(names)} blobs", "param"
            )
        blobs, shapes = [], []
        for index, name in enumerate(names):
            spec = specs[index] if index < len(specs) else ParamSpec()
            blob = layer.get_parameter(name)
            shapes.append(tuple(blob.shape))
            owner = self._owners.get(spec.name) if spec.name else None
            if owner is None:
                self._own(Learnable(blob, _copied(spec), layer.param.name, index))
                blobs.append(blob)
            else:
                _check_sharing(layer, index, spec, owner)
                _share(layer, name, owner.param)
                blobs.append(owner.param)
        self._blobs.append(blobs)
        self._shapes.append(shapes)

    def blobs_of(self, layer_index: int) -> list[Tensor]:
        """The storage of a layer's blobs, each in the shape that the layer gives it."""
        pairs = zip(self._blobs[layer_index], self._shapes[layer_index], strict=True)
        return [blob.detach().view(shape) for blob, shape in pairs]

    def owners_of(self, layer_index: int) -> list[nn.Parameter]:
        """The parameters that a layer computes with: its own, or the owners of those it shares."""
        return self._blobs[layer_index]

    def shared(self, layer_index: int) -> list[bool]:
        """Of a layer's blobs, which it has from a layer above."""
        above = {id(blob) for blobs in self._blobs[:layer_index] for blob in blobs}
        return [id(blob) in above for blob in self._blobs[layer_index]]

    def diffs_of(self, layer_index: int) -> list[Tensor | None]:
        """The gradients of a layer's blobs, None where there is none."""
        pairs = zip(self._blobs[layer_index], self._shapes[layer_index], strict=True)
        return [None if blob.grad is None else blob.grad.view(shape) for blob, shape in pairs]

    def parameters_of(self, layer_index: int) -> list[ParameterBlob]:
        """A layer's blobs as numpy sees them."""
        pairs = zip(self._blobs[layer_index], self._shapes[layer_index], strict=True)
        return [ParameterBlob(blob, shape) for blob, shape in pairs]

    def share(self, own: int, other: "BlobTable", theirs: int) -> None:
        """Let the blobs of layer `own` be those of layer `theirs` of another table."""
        pairs = zip(self._blobs[own], other._blobs[theirs], strict=True)
        for mine, source in pairs:
            mine.data = source.data.view(mine.shape)

    def freeze(self) -> None:
        """Compute no gradient for blobs whose rate is 0, as Caffe does."""
        for entry in self.learnable:
            if entry.lr_mult == 0:
                entry.param.requires_grad = False

    def _own(self, entry: Learnable) -> None:
        self.learnable.append(entry)
        if entry.spec.name:
            self._owners[entry.spec.name] = entry


def _copied(spec: ParamSpec) -> ParamSpec:
    copy = ParamSpec()
    copy.CopyFrom(spec)
    return copy


def _check_sharing(layer: Layer, index: int, spec: ParamSpec, owner: Learnable) -> None:
    """Refuse a shape or a rate that differs from the owner's; take over a rate it left open."""
    blob = list(layer.parameters())[index]
    who = f"param {spec.name!r} is shared with layer {owner.layer!r}"
    if spec.share_mode == ParamSpec.PERMISSIVE:
        if blob.numel() != owner.param.numel():
            raise layer.error(
                f"{who}, whose blob has {owner.param.numel()} numbers; here it has {blob.numel()}",
                "param",
            )
    elif blob.shape != owner.param.shape:
        raise layer.error(
            f"{who}, whose blob has shape {tuple(owner.param.shape)}; here it has "
            f"{tuple(blob.shape)} (share_mode: PERMISSIVE compares counts only)",
            "param",
        )
    for field in ("lr_mult", "decay_mult"):
        if not spec.HasField(field):
            continue
        theirs, ours = getattr(owner.spec, field), getattr(spec, field)
        if owner.spec.HasField(field) and theirs != ours:
            raise layer.error(f"{who}, which has {field} {theirs:g}; here it is {ours:g}", "param")
        setattr(owner.spec, field, ours)


def _share(layer: Layer, name: str, owner: nn.Parameter) -> None:
    """Put the owner's parameter in the place of the layer's own, viewed where shapes differ."""
    module_name, _, attribute = name.rpartition(".")
    module = layer.get_submodule(module_name)
    shape = module.get_parameter(attribute).shape
    if shape == owner.shape:
        setattr(module, attribute, owner)
        return
    delattr(module, attribute)

    def view(*_: object) -> None:
        setattr(module, attribute, owner.view(shape))

    layer.register_forward_pre_hook(view)
