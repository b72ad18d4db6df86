import pytest

from caffepy.errors import LayerError
from caffepy.layers.items import require_same_dimension, require_same_items
from caffepy.layers.layer import Layer, Shape
from caffepy.proto import LayerParameter

LAYER = Layer(LayerParameter(name="loss", type="EuclideanLoss"))


def test_bottoms_of_as_many_items_pass() -> None:
    require_same_items(LAYER, (2, 3, 4), (2,), (2, 5))


@pytest.mark.parametrize(
    ("bottoms", "text"),
    [
        pytest.param(
            [(2, 3), (2, 3), (3, 2)],
            "bottom 0 of shape (2, 3) and bottom 2 of shape (3, 2) differ in their first axis, the "
            "items",
            id="another length",
        ),
        pytest.param(
            [(2, 3), ()], "bottom 1 is a single number, a bottom of items is needed", id="no axis"
        ),
        pytest.param(
            [(), ()], "bottom 0 is a single number, a bottom of items is needed", id="none has one"
        ),
    ],
)
def test_bottoms_of_other_items_are_refused(bottoms: list[Shape], text: str) -> None:
    with pytest.raises(LayerError) as caught:
        require_same_items(LAYER, *bottoms)

    assert str(caught.value) == f"layer 'loss' (EuclideanLoss): {text}"


def test_as_many_numbers_an_item_pass_in_any_shape() -> None:
    require_same_dimension(LAYER, (2, 3, 4), (2, 12), (2, 1, 4, 3))
    require_same_dimension(LAYER, (2,), (2, 1))


def test_another_number_of_numbers_an_item_is_refused() -> None:
    with pytest.raises(LayerError) as caught:
        require_same_dimension(LAYER, (2, 3, 4), (2, 12), (2, 5))

    assert str(caught.value) == (
        "layer 'loss' (EuclideanLoss): Inputs must have the same dimension. Bottom 0 of shape "
        "(2, 3, 4) has 12 numbers an item, bottom 2 of shape (2, 5) has 5"
    )


def test_another_number_of_items_is_refused_too() -> None:
    with pytest.raises(LayerError, match="differ in their first axis"):
        require_same_dimension(LAYER, (2, 3), (3, 2))
