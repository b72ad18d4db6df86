from dataclasses import replace

import pytest
import torch
from google.protobuf import text_format
from torch import Tensor, nn

from caffepy.errors import LayerError
from caffepy.fillers import fill
from caffepy.graph.kinds import KINDS
from caffepy.layers.inner_product import InnerProduct
from caffepy.layers.layer import (
    Layer,
    Shape,
    Source,
    SourceLayer,
    as_tuple,
    build,
    build_source,
    layer_types,
    register,
)
from caffepy.proto import FillerParameter, LayerParameter


def parse(prototxt: str) -> LayerParameter:
    return text_format.Parse(prototxt, LayerParameter())


class Count(Layer):
    """x times a weight, and how often it was asked; a layer with a blob of each kind."""

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.weight = self.filled(FillerParameter(value=2), bottom[1:], "scale_param.filler")
        self.fixed = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.calls = self.get_buffer("calls") + 1
        return x * self.weight, self.calls


def test_build_makes_the_layer_of_the_type() -> None:
    layer = build(parse('type: "InnerProduct" inner_product_param { num_output: 7 }'), (2, 3))

    assert isinstance(layer, InnerProduct)
    assert layer.kind is KINDS["InnerProduct"]


def test_an_unknown_type_is_met_with_the_known_ones() -> None:
    param = parse('name: "fc9" type: "InerProduct"')

    with pytest.raises(
        LayerError, match=r"'fc9'.*'InerProduct'; did you mean 'InnerProduct'.*ReLU"
    ):
        build(param, (2, 3))


def test_a_type_is_registered_once() -> None:
    with pytest.raises(LayerError, match="'ReLU' is registered twice"):
        register("ReLU")(Count)


def test_layer_types_are_sorted_names() -> None:
    assert layer_types() == sorted(layer_types())
    assert {"Convolution", "ReLU"} <= set(layer_types())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_top_shapes_leave_the_layer_as_it_was(dtype: torch.dtype) -> None:
    layer = Count(parse('name: "count"'), (2, 3)).to(dtype)

    assert layer.top_shapes((5, 3)) == [(5, 3), ()]

    assert layer.get_buffer("calls").item() == 0
    assert {str(tensor.device) for tensor in layer.state_dict().values()} == {"cpu"}
    assert [blob.requires_grad for blob in layer.parameters()] == [True, False]


def test_errors_name_the_layer_its_type_and_the_field() -> None:
    error = Count(parse('name: "a/b" type: "Count"'), (2, 3)).error("size is 4", "lrn_param.size")

    assert str(error) == "layer 'a/b' (Count): size is 4"
    assert error.field == "lrn_param.size"


def test_filled_is_a_blob_to_learn() -> None:
    blob = Count(parse("type: 'Count'"), (2, 3)).weight

    assert torch.equal(blob, fill(FillerParameter(value=2), (3,)))
    assert blob.requires_grad


def test_filled_says_which_filler_is_wrong() -> None:
    layer = Count(parse('name: "count" type: "Count"'), (2, 3))

    with pytest.raises(LayerError, match=r"'count' .*scale_param.filler: unknown .* 'x'") as caught:
        layer.filled(FillerParameter(type="x"), (3,), "scale_param.filler")

    assert caught.value.field == "scale_param.filler.type"


def test_a_source_layer_is_told_where_it_runs_and_reads_in_forward() -> None:
    class Ones(SourceLayer):
        def read(self) -> tuple[Tensor, ...]:
            return (torch.ones(2, 3, device=self.source.device),)

    source = Source(training=True, device=torch.device("cpu"), seed=5)
    layer = Ones(parse('name: "ones" top: "a" top: "b"'), source)

    assert [tuple(top.shape) for top in layer()] == [(2, 3)]
    assert layer.position == 0
    assert layer.constants() == (None,) * 2


def test_a_moved_source_layer_is_made_anew_with_another_position_and_seed() -> None:
    source = Source(training=False, device=torch.device("cpu"), seed=5, rank=1, world=3)
    layer = build_source(parse('type: "Input" top: "x" input_param { shape { dim: 2 } }'), source)

    moved = layer.moved(7, 8)

    assert type(moved) is type(layer)
    assert moved.param is layer.param
    assert moved.source == replace(source, position=7, seed=8)


@pytest.mark.parametrize(("training", "share"), [(True, (2, 3)), (False, (0, 1))])
def test_records_are_dealt_out_in_training_only(training: bool, share: tuple[int, int]) -> None:
    source = Source(training, torch.device("cpu"), seed=5, rank=2, world=3)

    assert source.share == share


def test_build_source_makes_the_layer_of_the_type() -> None:
    source = Source(training=True, device=torch.device("cpu"), seed=5)

    layer = build_source(parse('type: "Input" top: "x" input_param { shape { dim: 2 } }'), source)

    assert layer.source is source
    assert layer.kind is KINDS["Input"]


def test_as_tuple_has_one_tensor_a_top() -> None:
    x = torch.zeros(2)

    assert as_tuple(None) == ()
    assert as_tuple(x) == (x,)
    assert as_tuple((x, x)) == (x, x)
