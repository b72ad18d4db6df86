from dataclasses import replace

import pytest
import torch
from google.protobuf import text_format

import caffepy.layers  # noqa: F401  (registers every type)
from caffepy.errors import LayerError
from caffepy.layers.layer import Shape, Source, SourceLayer, build_source
from caffepy.proto import LayerParameter

SOURCE = Source(training=True, device=torch.device("cpu"), seed=5)
TWO = 'name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param { %s }'
NOISE = 'data_filler { type: "gaussian" }'
NINE = "data_filler { value: 9 }"
SHAPE = "shape { dim: 2 dim: 3 }"


def make_dummy(options: str, source: Source = SOURCE, prototxt: str = TWO) -> SourceLayer:
    return build_source(text_format.Parse(prototxt % options, LayerParameter()), source)


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        pytest.param(SHAPE, [(2, 3), (2, 3)], id="one shape for all"),
        pytest.param(SHAPE + "shape { dim: 4 }", [(2, 3), (4,)], id="one each"),
        pytest.param(
            "num: 2 channels: 3 height: 4 width: 5", [(2, 3, 4, 5), (2, 3, 4, 5)], id="older"
        ),
        pytest.param(
            "num: 2 channels: [3, 1] height: [4, 1] width: 5",
            [(2, 3, 4, 5), (2, 1, 1, 5)],
            id="older, one each",
        ),
    ],
)
def test_shapes(options: str, shapes: list[Shape]) -> None:
    layer = make_dummy(options)

    assert layer.top_shapes() == shapes
    tops = layer.read()
    assert [tuple(top.shape) for top in tops] == shapes
    assert all(top.dtype == torch.float32 and not top.any() for top in tops)


def test_constants_are_filled_once_and_others_for_each_batch() -> None:
    layer = make_dummy(SHAPE + NOISE + NINE)

    (noise, nine), (other, again) = layer.read(), layer.read()

    assert nine is again
    assert (nine == 9).all()
    assert not torch.equal(noise, other)
    assert torch.equal(noise, noise.clamp(-6, 6))
    assert layer.constants() == (None, nine)


def test_one_filler_is_for_all_tops_which_differ() -> None:
    data, label = make_dummy(SHAPE + NOISE).read()

    assert not torch.equal(data, label)


def test_a_run_that_is_resumed_goes_on() -> None:
    layer = make_dummy(SHAPE + NOISE)
    batches = [layer.read() for _ in range(3)]
    assert layer.position == 3

    resumed = make_dummy(SHAPE + NOISE, replace(SOURCE, position=2))

    assert resumed.position == 2
    torch.testing.assert_close(resumed.read(), batches[2], rtol=0, atol=0)


@pytest.mark.parametrize(
    "other",
    [
        make_dummy(SHAPE + NOISE, replace(SOURCE, seed=6)),
        make_dummy(SHAPE + NOISE, replace(SOURCE, seed=-5)),
        make_dummy(SHAPE + NOISE, replace(SOURCE, rank=1, world=2)),
        make_dummy(SHAPE + NOISE, prototxt=TWO.replace('name: "data"', 'name: "data_p"')),
    ],
    ids=["seed", "negative seed", "rank", "name"],
)
def test_batches_depend_on(other: SourceLayer) -> None:
    assert not torch.equal(make_dummy(SHAPE + NOISE).read()[0], other.read()[0])


def test_torchs_own_generator_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)

    make_dummy(SHAPE + NOISE).read()

    assert torch.equal(torch.rand(2), expected)


def test_the_tops_are_on_the_device_of_the_net() -> None:
    layer = make_dummy(SHAPE + NOISE + NINE, replace(SOURCE, device=torch.device("meta")))

    assert {top.device.type for top in layer.read()} == {"meta"}


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("", "shape", "shape is given 0 times for 2 tops", id="no shape"),
        pytest.param(SHAPE * 3, "shape", "shape is given 3 times for 2 tops", id="shapes"),
        pytest.param(
            "shape { dim: 2 dim: -3 }", "shape", r"\(2, -3\) has a negative size", id="negative"
        ),
        pytest.param(
            SHAPE + NOISE * 3, "data_filler", "data_filler is given 3 times", id="fillers"
        ),
        pytest.param(
            SHAPE + "num: 1 width: 2", "num", "shape and num and width are both set", id="both"
        ),
        pytest.param(
            "num: 1 channels: 2 width: 3", "height", "height is given 0 times", id="no height"
        ),
        pytest.param(
            SHAPE + 'data_filler { type: "x" }',
            "data_filler.type",
            "unknown filler type 'x'",
            id="filler",
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'data' .*{text}") as caught:
        make_dummy(options)

    assert caught.value.field == f"dummy_data_param.{field}"


def test_a_top_has_no_more_numbers_than_an_int_counts() -> None:
    text = r"blob size exceeds INT_MAX: shape \(65536, 32768\) has 2147483648 numbers, "

    with pytest.raises(LayerError, match=text):
        make_dummy("shape { dim: 65536 dim: 32768 }")
