"""Nets written in Python: `L.Convolution(bottom, num_output=20)`, and their prototxts.

Layer types are the attributes of `layers`, enums those of `params`:

    from caffe import layers as L, params as P, NetSpec

    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 3, 32, 32]))
    n.pool = L.Pooling(n.data, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    print(n.to_proto())
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from caffepy.errors import near
from caffepy.graph.kinds import KINDS
from caffepy.proto import LayerParameter, NetParameter, caffe_pb2
from caffepy.pycaffe.assign import SpecError, set_params
from caffepy.pycaffe.assign import assign_proto as assign_proto
from caffepy.pycaffe.assign import param_name_dict as param_name_dict

Named: TypeAlias = "Top | Function"


class Top:
    """A blob: the `n`-th top of a layer, `fn`."""

    def __init__(self, fn: "Function", n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> NetParameter:
        """The net of all layers that this blob needs, with names of their own."""
        return to_proto(self)


class Function:
    """A layer: its type, the blobs it reads, and its settings.

    params: the fields of the type's own message, such as num_output, or of LayerParameter, such as
        `param=[dict(lr_mult=1)]`. `ntop` says how many tops it makes (1), `in_place` that they are
        its bottoms.
    tops: the blobs it makes.

    Raises:
        TypeError: an input is no Top.
    """

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, object]) -> None:
        for index, given in enumerate(inputs):
            if not isinstance(given, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(given)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = params
        self.ntop = cast("int", params.pop("ntop", 1))
        self.in_place = bool(params.pop("in_place", False))
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    @property
    def fn(self) -> "Function":
        """Itself, as a Top has it: where a layer makes none, it stands in a NetSpec in their place."""
        return self


class _Writer:
    """Layers with their names, each behind those it reads.

    Blobs and layers that `names` does not name are called Type1, Type2, …, counted by type; a layer
    has the name of its first top.
    """

    def __init__(self, names: Mapping[Named, str]) -> None:
        self._names = dict(names)
        self._counts: Counter[str] = Counter()
        self._layers: OrderedDict[Function, LayerParameter] = OrderedDict()

    def net(self, needed: Iterable[Named]) -> NetParameter:
        for named in needed:
            self._write(named.fn)
        return NetParameter(layer=self._layers.values())

    def _write(self, fn: Function) -> None:
        if fn in self._layers:
            return
        bottoms = []
        for top in fn.inputs:
            self._write(top.fn)
            bottoms.append(self._layers[top.fn].top[top.n])
        layer = LayerParameter(type=fn.type_name, bottom=bottoms)
        layer.top.extend(bottoms if fn.in_place else [self._name(top, fn) for top in fn.tops])
        layer.name = self._name(fn.tops[0] if fn.ntop else fn, fn)
        set_params(layer, fn.params)
        self._layers[fn] = layer

    def _name(self, named: Named, fn: Function) -> str:
        if named not in self._names:
            self._counts[fn.type_name] += 1
            self._names[named] = f"{fn.type_name}{self._counts[fn.type_name]}"
        return self._names[named]


def to_proto(*tops: Named) -> NetParameter:
    """The net of all layers that these blobs need.

    Raises:
        SpecError: a layer has a setting that its type has not.
        TypeError: a setting has a value of another type.
    """
    return _Writer({}).net(tops)


class NetSpec:
    """A net as its blobs by name: `n.conv1 = L.Convolution(n.data, …)`, or `n["conv1"] = …`.

    Layers are called as their first tops are; in the prototxt, they stand in the order in which the
    names were first given, each behind those it reads. tops: the blobs by name.
    """

    tops: OrderedDict[str, Named]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Named) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Top:
        # pickle and copy ask before __init__ has run, when there are no tops either.
        tops = self.__dict__.get("tops", {})
        if name not in tops:
            raise SpecError(f"no blob {name!r} in this NetSpec{near(name, tops)}")
        return cast("Top", tops[name])

    def __setitem__(self, name: str, value: Named) -> None:
        self.tops[name] = value

    def __getitem__(self, name: str) -> Top:
        return cast("Top", self.tops[name])

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def keys(self) -> list[str]:
        """The names of the blobs."""
        return list(self.tops)

    def vals(self) -> list[Named]:
        """The blobs."""
        return list(self.tops.values())

    def update(self, name: str, params: Mapping[str, object]) -> None:
        """Add to the settings of the layer that makes a blob, or change them."""
        self.tops[name].fn.params.update(params)

    def to_proto(self) -> NetParameter:
        """The net of all blobs that have names, and what they need; errors as of `to_proto`."""
        return _Writer({named: name for name, named in self.tops.items()}).net(self.tops.values())


class Layers:
    """The layer types as functions from tops and settings to a new layer's tops.

    One Top; a tuple of them where `ntop` is above 1; the Function itself where it is 0. An unknown
    type is a SpecError.
    """

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in KINDS:
            raise SpecError(f"unknown layer type {name!r}{near(name, KINDS)}")

        def layer_fn(*inputs: Top, **params: object) -> Top | Function | tuple[Top, ...]:
            fn = Function(name, inputs, params)
            if fn.ntop == 0:
                return fn
            return fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer_fn

    def __dir__(self) -> list[str]:
        return list(KINDS)


class Parameters:
    """The enums of the layers' messages: `params.Pooling.MAX`. SpecError for what there is not."""

    def __getattr__(self, name: str) -> "_Enums":
        message = f"{name}Parameter"
        known = caffe_pb2.DESCRIPTOR.message_types_by_name
        if message not in known:
            raise SpecError(f"there is no message {message!r}{near(message, known)}")
        return _Enums(message)


class _Enums:
    def __init__(self, message: str) -> None:
        self._values = {
            value.name: value.number
            for enum in caffe_pb2.DESCRIPTOR.message_types_by_name[message].enum_types
            for value in enum.values
        }
        self._message = message

    def __getattr__(self, name: str) -> int:
        values: dict[str, int] = self.__dict__.get("_values", {})
        if name not in values:
            raise SpecError(f"{self._message} has no enum value {name!r}{near(name, values)}")
        return values[name]

    def __dir__(self) -> list[str]:
        return list(self._values)


layers = Layers()
params = Parameters()
