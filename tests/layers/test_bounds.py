import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.bounds import require_within
from tests.layers.conformance import make_layer

LAYER = make_layer('name: "abc" type: "ReLU"', (2, 3))


@pytest.mark.parametrize("places", [[0, 4], [4.9, 0.5], []], ids=["whole", "fractions", "none"])
def test_places_within_are_passed_over(places: list[float]) -> None:
    require_within(LAYER, torch.tensor(places), 5, "the rows")


@pytest.mark.parametrize("wrong", [-1, 5, -0.5, float("nan"), float("inf")])
def test_the_first_place_outside_is_named(wrong: float) -> None:
    places = torch.tensor([[0, 1, 2], [3, wrong, 9]])

    with pytest.raises(LayerError) as caught:
        require_within(LAYER, places, 5, "the rows")

    assert str(caught.value) == (
        f"layer 'abc' (ReLU): the index at (1, 1) is {wrong:g} (and 1 more); "
        "allowed are 0 to 4, the rows"
    )


def test_one_alone_is_said_to_be_one() -> None:
    with pytest.raises(LayerError, match=r"\(2,\) is 7; allowed are 0 to 4, the rows"):
        require_within(LAYER, torch.tensor([0, 1, 7]), 5, "the rows")
