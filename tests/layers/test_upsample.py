import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "upsample4" type: "Upsample" upsample_param { %s }'
SHAPE = (2, 3, 2, 4)


def mask_for(shape: Shape, places: int) -> torch.Tensor:
    """Another order of places in each plane, none of them twice."""
    items, channels, height, width = shape
    orders = [torch.randperm(places)[: height * width] for _ in range(items * channels)]
    return torch.stack(orders).reshape(shape).double()


@pytest.mark.parametrize(
    ("options", "size"),
    [
        pytest.param("", (4, 8), id="scale is 2"),
        pytest.param("scale: 3", (6, 12), id="scale"),
        pytest.param("scale_h: 2 scale_w: 3", (4, 12), id="two scales"),
        pytest.param("pad_out_h: true", (3, 8), id="pad_out_h"),
        pytest.param("pad_out_w: true scale: 2", (4, 7), id="pad_out_w"),
        pytest.param("upsample_h: 5 upsample_w: 7", (5, 7), id="size"),
        pytest.param(
            "upsample_h: 5 upsample_w: 7 scale: 1 pad_out_h: true", (5, 7), id="size first"
        ),
    ],
)
def test_value_and_gradient(options: str, size: Shape) -> None:
    layer = make_layer(PROTOTXT % options, SHAPE, SHAPE)
    (x,) = random_bottoms(SHAPE)
    mask = mask_for(SHAPE, size[0] * size[1])

    y = layer(x, mask)

    expected = torch.zeros(2, 3, size[0] * size[1], dtype=torch.double)
    for n in range(2):
        for c in range(3):
            for value, place in zip(x[n, c].flatten(), mask[n, c].flatten(), strict=True):
                expected[n, c, int(place)] = value
    assert torch.equal(y.flatten(2), expected)
    layer.check(x, mask)
    check_layer(layer, [x, mask], tops=[(2, 3, *size)])


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last], ids=str)
def test_it_undoes_max_pooling(memory: torch.memory_format) -> None:
    pooling = 'type: "Pooling" top: "y" top: "mask" pooling_param { kernel_size: 2 stride: 2 }'
    x = random_bottoms((2, 3, 4, 6))[0].detach().contiguous(memory_format=memory)
    pooled, mask = make_layer(pooling, (2, 3, 4, 6))(x)

    y = make_layer(PROTOTXT % "", (2, 3, 2, 3), (2, 3, 2, 3))(pooled, mask)

    assert torch.equal(y, torch.where(y != 0, x, 0))
    assert (y != 0).sum() == pooled.numel()


def test_of_two_elements_for_one_place_the_last_counts_and_both_get_its_gradient() -> None:
    layer = make_layer(PROTOTXT % "", (1, 1, 1, 3), (1, 1, 1, 3))
    x = torch.tensor([[[[5.0, 6.0, 7.0]]]], requires_grad=True)

    y = layer(x, torch.tensor([[[[4.0, 1.9, 4.0]]]]))
    y.backward(torch.arange(12.0).reshape(1, 1, 2, 6))

    assert y.flatten().tolist() == [0, 6, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [4, 1, 4]


@pytest.mark.parametrize("wrong", [-1, 32])
def test_a_place_outside_the_top_is_refused(wrong: float) -> None:
    layer = make_layer(PROTOTXT % "", SHAPE, SHAPE)
    mask = torch.zeros(SHAPE)
    mask[1, 2, 1, 3] = wrong

    with pytest.raises(
        LayerError,
        match=rf"'upsample4' .*\(1, 2, 1, 3\) is {wrong}; .* 0 to 31, in planes of 4 x 8",
    ):
        layer.check(torch.zeros(SHAPE), mask)


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("upsample_h: 5", "upsample_h", "upsample_h is set alone", id="one side"),
        pytest.param("scale_w: 5", "scale_w", "scale_w is set alone", id="one scale"),
        pytest.param("scale: 1", "scale", r"\(1, 1\), must be at least 2", id="scale 1"),
        pytest.param("scale_h: 2 scale_w: 1", "scale_h", r"\(2, 1\), must be", id="scale_w 1"),
        pytest.param("upsample_h: 2 upsample_w: 0", "upsample_h", r"\(2, 0\), must", id="size 0"),
        pytest.param(
            "scale: 2 scale_h: 2 scale_w: 2", "scale", "scale and scale_h are both set", id="both"
        ),
        pytest.param("scale: 3 pad_out_h: true", "pad_out_h", "with a scale of 3", id="pad_out_h"),
        pytest.param(
            "scale_h: 2 scale_w: 4 pad_out_w: true", "pad_out_w", "a scale of 4", id="pad_out_w"
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'upsample4' .*{text}") as caught:
        make_layer(PROTOTXT % options, SHAPE, SHAPE)

    assert caught.value.field == f"upsample_param.{field}"


@pytest.mark.parametrize(
    ("bottom", "mask"),
    [pytest.param((2, 3), (2, 3), id="2 axes"), pytest.param(SHAPE, (2, 3, 2, 5), id="two shapes")],
)
def test_impossible_bottoms(bottom: Shape, mask: Shape) -> None:
    layer = make_layer(PROTOTXT % "", SHAPE, SHAPE)

    with pytest.raises(LayerError, match=r"'upsample4' .*Input must have 4 axes"):
        layer.top_shapes(bottom, mask)
    with pytest.raises(LayerError, match=r"'upsample4' .*Input must have 4 axes"):
        layer.check(torch.zeros(bottom), torch.zeros(mask))
