import pytest

from caffepy.errors import LayerError
from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer
from caffepy.proto import LayerParameter

LAYER = Layer(LayerParameter(name="prob", type="Softmax"))


@pytest.mark.parametrize(("given", "expected"), [(0, 0), (2, 2), (-1, 2), (-3, 0)])
def test_an_axis_counts_from_either_end(given: int, expected: int) -> None:
    assert axis_from_front(LAYER, given, (2, 3, 4), "softmax_param.axis") == expected


@pytest.mark.parametrize("given", [3, -4])
def test_an_axis_that_the_bottom_lacks_is_refused(given: int) -> None:
    with pytest.raises(LayerError) as caught:
        axis_from_front(LAYER, given, (2, 3, 4), "softmax_param.axis")

    assert str(caught.value) == (
        f"layer 'prob' (Softmax): softmax_param.axis is {given}, but the bottom (2, 3, 4) has "
        "3 axes: -3 to 2 are allowed"
    )
    assert caught.value.field == "softmax_param.axis"


def test_a_single_number_has_no_axis() -> None:
    with pytest.raises(LayerError, match=r"axis is 0, but the bottom is a single number, without"):
        axis_from_front(LAYER, 0, (), "softmax_param.axis")
