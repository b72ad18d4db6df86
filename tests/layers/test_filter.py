import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "keep" type: "Filter" top: "x2"'
TWO = PROTOTXT + ' top: "label2"'


@pytest.mark.parametrize("selector", [(5,), (5, 1), (5, 1, 1, 1)], ids=str)
def test_items_with_a_selector_that_is_not_zero_are_kept(selector: Shape) -> None:
    shapes = (5, 3, 4), (5,), selector
    layer = make_layer(TWO, *shapes)
    x, label = random_bottoms(*shapes[:2])
    chosen = torch.tensor([0.5, 0, -1, -0.0, torch.nan]).reshape(selector).requires_grad_()

    kept, labels = layer(x, label, chosen)
    (kept.sum() + 2 * labels.sum()).backward()

    assert torch.equal(kept, x[[0, 2, 4]])
    assert torch.equal(labels, label[[0, 2, 4]])
    assert x.grad is not None
    assert x.grad.flatten(1).sum(1).tolist() == [12, 0, 12, 0, 12]
    assert label.grad is not None
    assert label.grad.tolist() == [2, 0, 2, 0, 2]
    assert chosen.grad is None


def test_conforms_and_is_built_as_if_all_were_selected() -> None:
    layer = make_layer(PROTOTXT, (4, 3, 5), (4,))
    (x,) = random_bottoms((4, 3, 5))

    check_layer(layer, [x, torch.ones(4)], tops=[(4, 3, 5)])


def test_nothing_selected_leaves_no_items_and_no_gradient() -> None:
    layer = make_layer(PROTOTXT, (4, 3), (4,))
    (x,) = random_bottoms((4, 3))

    (kept,) = layer(x, torch.zeros(4))
    kept.sum().backward()

    assert kept.shape == (0, 3)
    assert x.grad is not None
    assert not x.grad.any()


@pytest.mark.parametrize(
    ("bottoms", "text"),
    [
        pytest.param([(4, 3), (4, 2)], r"selector's shape is \(4, 2\): its axes", id="wide"),
        pytest.param([(4, 3), ()], r"selector's shape is \(\)", id="no axis"),
        pytest.param([(5, 3), (4, 1)], r"\[\(5, 3\)\], must have 4 items each", id="count"),
        pytest.param([(), (4, 1)], r"\[\(\)\], must have 4 items each", id="no items"),
    ],
)
def test_impossible_bottoms(bottoms: list[Shape], text: str) -> None:
    layer = make_layer(PROTOTXT, (4, 3), (4,))

    with pytest.raises(LayerError, match=f"'keep' .*{text}"):
        layer.top_shapes(*bottoms)
    with pytest.raises(LayerError, match=f"'keep' .*{text}"):
        layer(*(torch.ones(bottom) for bottom in bottoms))


def test_each_bottom_but_the_selector_has_a_top() -> None:
    with pytest.raises(LayerError, match=r"'keep' .*2 tops for 2 bottoms") as caught:
        make_layer(TWO, (4, 3), (4,))

    assert caught.value.field == "top"
