import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "joined" type: "Concat" concat_param { %s }'


@pytest.mark.parametrize(
    ("option", "bottoms", "top"),
    [
        pytest.param("", [(2, 3, 4), (2, 5, 4)], (2, 8, 4), id="default"),
        pytest.param("axis: 0", [(2, 3), (5, 3), (1, 3)], (8, 3), id="axis 0, three"),
        pytest.param("axis: -1", [(2, 3, 4), (2, 3, 5)], (2, 3, 9), id="last axis"),
        pytest.param("concat_dim: 2", [(2, 3, 4), (2, 3, 5)], (2, 3, 9), id="legacy"),
        pytest.param("", [(2, 3, 4, 5)], (2, 3, 4, 5), id="one bottom"),
    ],
)
def test_conforms(option: str, bottoms: list[Shape], top: Shape) -> None:
    layer = make_layer(PROTOTXT % option, *bottoms)
    check_layer(layer, random_bottoms(*bottoms), tops=[top])


def test_the_bottoms_follow_each_other() -> None:
    a, b = (t.detach() for t in random_bottoms((2, 3, 4), (2, 5, 4)))
    expected = np.empty((2, 8, 4))
    for n, c, i in np.ndindex(2, 8, 4):
        expected[n, c, i] = a[n, c, i] if c < 3 else b[n, c - 3, i]

    y = make_layer(PROTOTXT % "", (2, 3, 4), (2, 5, 4))(a, b)

    assert y.tolist() == expected.tolist()


def test_the_gradient_of_each_part_goes_to_its_bottom() -> None:
    a, b = random_bottoms((2, 1), (2, 2))

    y = make_layer(PROTOTXT % "", (2, 1), (2, 2))(a, b)
    y.backward(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=torch.double))

    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == [[1], [4]]
    assert b.grad.tolist() == [[2, 3], [5, 6]]


def test_images_keep_their_channels_last_in_memory() -> None:
    bottoms = [torch.rand(2, c, 4, 5).to(memory_format=torch.channels_last) for c in (3, 6)]

    y = make_layer(PROTOTXT % "", (2, 3, 4, 5), (2, 6, 4, 5))(*bottoms)

    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("option", "text", "field"),
    [
        ("axis: 1 concat_dim: 1", "axis and concat_dim are both set", "concat_dim"),
        ("axis: 3", r"concat_param.axis is 3, but the bottom \(2, 3, 4\) has 3 axes", "axis"),
        ("axis: -4", "concat_param.axis is -4", "axis"),
        ("concat_dim: 3", "concat_param.concat_dim is 3", "concat_dim"),
    ],
    ids=["both", "behind the last axis", "in front of the first", "legacy"],
)
def test_an_axis_that_cannot_be_is_refused(option: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=f"layer 'joined' .*{text}") as caught:
        make_layer(PROTOTXT % option, (2, 3, 4), (2, 5, 4))

    assert caught.value.field == f"concat_param.{field}"


@pytest.mark.parametrize("other", [(2, 5, 6), (3, 3, 4), (2, 5)], ids=["size", "batch", "axes"])
def test_bottoms_that_differ_elsewhere_are_refused(other: Shape) -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4), other)

    with pytest.raises(LayerError, match=r"the bottoms \[\(2, 3, 4\), .* other axes than axis 1"):
        layer.top_shapes((2, 3, 4), other)
