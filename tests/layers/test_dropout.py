import pytest
import torch

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

QUARTER = 'name: "drop6" type: "Dropout" dropout_param { dropout_ratio: 0.25 }'


@pytest.mark.parametrize("training", [False, True])
def test_conforms(training: bool) -> None:
    layer = make_layer(QUARTER, (2, 3, 4, 5), training=training)
    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[(2, 3, 4, 5)])


def test_in_test_nothing_changes() -> None:
    layer = make_layer(QUARTER, (2, 3))
    (x,) = random_bottoms((2, 3))

    assert torch.equal(layer(x), x)


def test_in_training_a_quarter_is_dropped_and_the_rest_grows() -> None:
    layer = make_layer(QUARTER, (200, 300), training=True)
    torch.manual_seed(0)

    y = layer(torch.full((200, 300), 6.0))

    assert y.unique().tolist() == [0, 6 / 0.75]
    dropped = (y == 0).double().mean().item()
    assert dropped == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 60000) ** 0.5)


def test_the_default_ratio_is_one_half() -> None:
    layer = make_layer('type: "Dropout"', (5, 7), training=True)

    assert set(layer(torch.ones(5, 7)).unique().tolist()) <= {0.0, 2.0}


def test_each_pass_drops_other_numbers() -> None:
    layer = make_layer(QUARTER, (20, 30), training=True)
    torch.manual_seed(0)
    x = torch.ones(20, 30)

    assert not torch.equal(layer(x), layer(x))


def test_the_gradient_takes_the_path_of_the_value() -> None:
    layer = make_layer(QUARTER, (20, 30), training=True)
    x = torch.ones(20, 30, requires_grad=True)

    y = layer(x)
    y.sum().backward()

    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())


def test_ratio_0_drops_nothing() -> None:
    layer = make_layer('type: "Dropout" dropout_param { dropout_ratio: 0 }', (2, 3), training=True)
    (x,) = random_bottoms((2, 3))

    assert torch.equal(layer(x), x)


@pytest.mark.parametrize("ratio", ["1", "-0.5", "1.5", "nan"])
def test_a_ratio_that_leaves_nothing_is_refused(ratio: str) -> None:
    with pytest.raises(LayerError, match=r"layer 'drop6' .*dropout_ratio is .*\d") as caught:
        make_layer(QUARTER.replace("0.25", ratio), (2, 3))

    assert caught.value.field == "dropout_param.dropout_ratio"
