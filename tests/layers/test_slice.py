import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms


def slicer(option: str, bottom: Shape, tops: int = 2) -> Layer:
    names = " ".join(f'top: "part{index}"' for index in range(tops))
    return make_layer(f'name: "cut" type: "Slice" {names} slice_param {{ {option} }}', bottom)


@pytest.mark.parametrize(
    ("option", "bottom", "tops"),
    [
        pytest.param("", (2, 6, 4), [(2, 3, 4), (2, 3, 4)], id="equal parts"),
        pytest.param("", (2, 6), [(2, 2), (2, 2), (2, 2)], id="three equal parts"),
        pytest.param("slice_point: 2", (2, 7), [(2, 2), (2, 5)], id="at a point"),
        pytest.param(
            "slice_point: 1 slice_point: 5", (2, 7), [(2, 1), (2, 4), (2, 2)], id="at two points"
        ),
        pytest.param("axis: 0", (4, 3), [(2, 3), (2, 3)], id="axis 0"),
        pytest.param("axis: -1", (2, 3, 4, 6), [(2, 3, 4, 3)] * 2, id="last axis"),
        pytest.param("slice_dim: 2 slice_point: 1", (2, 3, 5), [(2, 3, 1), (2, 3, 4)], id="legacy"),
        pytest.param("", (2, 3, 4), [(2, 3, 4)], id="one top"),
    ],
)
def test_conforms(option: str, bottom: Shape, tops: list[Shape]) -> None:
    check_layer(slicer(option, bottom, len(tops)), random_bottoms(bottom), tops=tops)


def test_the_parts_are_those_between_the_points() -> None:
    x = torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]])

    parts = slicer("slice_point: 1 slice_point: 3", (2, 5), 3)(x)

    assert [part.tolist() for part in parts] == [
        [[0], [5]],
        [[1, 2], [6, 7]],
        [[3, 4], [8, 9]],
    ]


@pytest.mark.parametrize(
    ("option", "text", "field"),
    [
        ("axis: 1 slice_dim: 1", "axis and slice_dim are both set", "slice_dim"),
        ("axis: 2", r"slice_param.axis is 2, but the bottom \(2, 7\) has 2 axes", "axis"),
        ("slice_dim: 2", "slice_param.slice_dim is 2", "slice_dim"),
        ("slice_point: 1", "1 slice_points for 3 tops, must be one less", "slice_point"),
    ],
    ids=["both axes", "axis", "legacy axis", "points"],
)
def test_settings_that_cannot_be_are_refused(option: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=f"layer 'cut' .*{text}") as caught:
        slicer(option, (2, 7), 3)

    assert caught.value.field == f"slice_param.{field}"


@pytest.mark.parametrize("points", [(0, 3), (3, 3), (5, 2), (2, 7)])
def test_points_must_rise_within_the_axis(points: tuple[int, int]) -> None:
    layer = slicer("slice_point: {} slice_point: {}".format(*points), (2, 7), 3)

    with pytest.raises(LayerError, match=rf"slice_point is \({points[0]}, {points[1]}\).* has 7"):
        layer.top_shapes((2, 7))


def test_parts_that_cannot_be_equal_are_refused() -> None:
    with pytest.raises(LayerError, match="axis 1 of the bottom has 7, which 3 tops cannot share"):
        slicer("", (2, 7), 3).top_shapes((2, 7))
