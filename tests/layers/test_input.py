import pytest
import torch
from google.protobuf import text_format

import caffepy.layers  # noqa: F401  (registers every type)
from caffepy.errors import LayerError
from caffepy.layers.layer import Shape, Source, SourceLayer, build_source
from caffepy.proto import LayerParameter

TOPS = 'name: "in" type: "Input" top: "data" top: "label" '


def make_input(prototxt: str, device: str = "cpu") -> SourceLayer:
    source = Source(training=False, device=torch.device(device), seed=0)
    return build_source(text_format.Parse(prototxt, LayerParameter()), source)


@pytest.mark.parametrize(
    ("option", "shapes"),
    [
        pytest.param("shape { dim: 2 dim: 3 }", [(2, 3), (2, 3)], id="one for all"),
        pytest.param("shape { dim: 2 dim: 3 } shape { dim: 2 }", [(2, 3), (2,)], id="one each"),
        pytest.param("shape { dim: 0 dim: 3 } shape { }", [(0, 3), ()], id="empty"),
    ],
)
def test_the_tops_are_zeros_of_the_shapes_given(option: str, shapes: list[Shape]) -> None:
    layer = make_input(TOPS + f"input_param {{ {option} }}")

    assert layer.top_shapes() == shapes
    tops = layer.read()
    assert [tuple(top.shape) for top in tops] == shapes
    assert all(top.dtype == torch.float32 and not top.any() for top in tops)
    assert layer.position == 0


def test_each_read_gives_fresh_zeros() -> None:
    layer = make_input(TOPS + "input_param { shape { dim: 2 } }")

    layer.read()[0].fill_(1)

    assert layer.read()[0].tolist() == [0, 0]


def test_zeros_stand_until_the_caller_gives_values() -> None:
    layer = make_input(TOPS + "input_param { shape { dim: 2 } }")

    assert [top.tolist() for top in layer.constants() if top is not None] == [[0, 0], [0, 0]]


def test_the_tops_are_on_the_device_of_the_net() -> None:
    layer = make_input(TOPS + "input_param { shape { dim: 2 } }", device="meta")

    assert {top.device.type for top in layer.read()} == {"meta"}


def test_a_layer_without_shape_can_be_made_but_not_run() -> None:
    layer = make_input(TOPS)

    for run in (layer.read, layer.top_shapes):
        with pytest.raises(LayerError, match=r"layer 'in' .*no shape is given") as caught:
            run()
        assert caught.value.field == "input_param"


def test_a_number_of_shapes_that_fits_no_rule_is_refused() -> None:
    with pytest.raises(LayerError, match=r"layer 'in' .*: 3 shapes for 2 tops") as caught:
        make_input(TOPS + "input_param { shape { dim: 1 } shape { dim: 2 } shape { dim: 3 } }")

    assert caught.value.field == "input_param.shape"


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(LayerError, match=r"layer 'in' .*shape \(2, -3\) has a negative") as caught:
        make_input(TOPS + "input_param { shape { dim: 2 dim: -3 } }")

    assert caught.value.field == "input_param.shape"
