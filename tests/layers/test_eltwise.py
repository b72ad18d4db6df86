import logging
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from tests.layers.conformance import check_layer, make_layer, random_bottoms

SHAPE = (2, 3, 4, 5)
PROTOTXT = 'name: "res2a" type: "Eltwise" eltwise_param { %s }'


def maximum(bottoms: list[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Caffe's loop: the maxima, and which bottom each is from."""
    y, place = np.empty(bottoms[0].shape), np.empty(bottoms[0].shape, int)
    for at in np.ndindex(*bottoms[0].shape):
        place[at] = 0 if bottoms[0][at] > bottoms[1][at] else 1
        y[at] = bottoms[place[at]][at]
        for index in range(2, len(bottoms)):
            if bottoms[index][at] > y[at]:
                y[at], place[at] = bottoms[index][at], index
    return y, place


@pytest.mark.parametrize(
    "options", ["", "operation: PROD", "operation: MAX", "coeff: [2, -1, 0.5]"]
)
def test_conforms(options: str) -> None:
    layer = make_layer(PROTOTXT % options, SHAPE, SHAPE, SHAPE)
    check_layer(layer, random_bottoms(SHAPE, SHAPE, SHAPE), tops=[SHAPE])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param("", 2 + 3 - 5, id="sum"),
        pytest.param("coeff: [1, 0.5, -2]", 2 + 1.5 + 10, id="sum with coefficients"),
        pytest.param("coeff: [3, 1, 1]", 6 + 3 - 5, id="the first has a coefficient"),
        pytest.param("operation: PROD", 2 * 3 * -5, id="product"),
        pytest.param("operation: MAX", 3, id="maximum"),
    ],
)
def test_value(options: str, expected: float) -> None:
    layer = make_layer(PROTOTXT % options, (1,), (1,), (1,))

    y = layer(*(torch.tensor([x], dtype=torch.double) for x in (2, 3, -5)))

    assert y.tolist() == [expected]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_tie_goes_to_the_second_bottom_and_its_gradient_to_one_alone(count: int) -> None:
    digits = [torch.randint(3, (60, 7)).double().requires_grad_() for _ in range(count)]
    layer = make_layer(PROTOTXT % "operation: MAX", *[(60, 7)] * count)
    expected, place = maximum([x.detach().numpy() for x in digits])
    diff = torch.rand(60, 7, dtype=torch.double)

    y = layer(*digits)
    y.backward(diff)

    np.testing.assert_array_equal(y.detach(), expected)
    for index, x in enumerate(digits):
        assert x.grad is not None
        assert torch.equal(x.grad, diff * torch.tensor(place == index))


def test_nan_wins_against_numbers_only_where_caffe_lets_it() -> None:
    layer = make_layer(PROTOTXT % "operation: MAX", (2,), (2,), (2,))
    nan = torch.nan

    y = layer(torch.tensor([nan, 1.0]), torch.tensor([1.0, nan]), torch.tensor([0.0, 2.0]))

    assert y[0].item() == 1
    assert y[1].isnan()


@pytest.mark.parametrize("stable", ["true", "false"])
def test_a_product_has_a_gradient_where_a_factor_is_zero(stable: str) -> None:
    layer = make_layer(PROTOTXT % f"operation: PROD stable_prod_grad: {stable}", (1,), (1,))
    a = torch.tensor([0.0], requires_grad=True)
    b = torch.tensor([4.0], requires_grad=True)

    layer(a, b).backward()

    assert (a.grad, b.grad) == (torch.tensor([4.0]), torch.tensor([0.0]))


def test_coefficients_of_a_maximum_are_logged_to_do_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "caffepy"):
        layer = make_layer(PROTOTXT % "operation: MAX coeff: [9, 9]", (1,), (1,))

    assert layer(torch.tensor([1.0]), torch.tensor([2.0])).item() == 2
    assert caplog.messages == ["layer 'res2a': coeff does nothing with MAX, as in Caffe"]


@pytest.mark.parametrize("options", ["", "operation: MAX", "operation: PROD"])
def test_channels_last_stays(options: str) -> None:
    bottoms = [x.to(memory_format=torch.channels_last) for x in random_bottoms(SHAPE, SHAPE)]

    y = make_layer(PROTOTXT % options, SHAPE, SHAPE)(*bottoms)

    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param("coeff: 1", "1 coeffs for 2 bottoms", id="too few"),
        pytest.param("coeff: [1, 2, 3]", "3 coeffs for 2 bottoms", id="too many"),
        pytest.param("operation: PROD coeff: [1, 2]", "a product takes none", id="product"),
    ],
)
def test_impossible_coefficients(options: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'res2a' .*{text}") as caught:
        make_layer(PROTOTXT % options, SHAPE, SHAPE)

    assert caught.value.field == "eltwise_param.coeff"


def test_shapes_are_not_broadcast() -> None:
    layer = make_layer(PROTOTXT % "", SHAPE, SHAPE)

    with pytest.raises(LayerError, match=r"'res2a' .*\(2, 3, 4, 5\), \(2, 3, 1, 1\)"):
        layer.top_shapes(SHAPE, (2, 3, 1, 1))
