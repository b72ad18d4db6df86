import pytest

from caffepy.layers.layer import Shape, as_tuple
from tests.layers.conformance import make_layer, random_bottoms


@pytest.mark.parametrize("shapes", [[(2, 3)], [(2, 3), (4,), ()]], ids=["one bottom", "several"])
def test_there_is_no_top(shapes: list[Shape]) -> None:
    layer = make_layer('type: "Silence"', *shapes)

    assert layer.top_shapes(*shapes) == []
    assert as_tuple(layer(*random_bottoms(*shapes))) == ()
