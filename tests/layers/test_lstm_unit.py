import math

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

UNIT = 'name: "unit" type: "LSTMUnit"'
SHAPES: tuple[Shape, ...] = ((1, 3, 5), (1, 3, 20), (1, 3))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_conforms() -> None:
    c_prev, x = random_bottoms(*SHAPES[:2])
    cont = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.double)
    layer = make_layer(UNIT, *SHAPES)

    check_layer(layer, (c_prev, x, cont), tops=[(1, 3, 5), (1, 3, 5)])


def test_value_is_that_of_the_gates_i_f_o_g() -> None:
    c_prev, x = (bottom.detach() for bottom in random_bottoms(*SHAPES[:2]))
    cont = torch.tensor([[1.0, 0.0, 0.5]], dtype=torch.double)

    c, h = make_layer(UNIT, *SHAPES)(c_prev, x, cont)

    for n, d in np.ndindex(3, 5):
        i, f, o, g = (float(x[0, n, 5 * gate + d]) for gate in range(4))
        cell = float(cont[0, n]) * sigmoid(f) * float(c_prev[0, n, d]) + sigmoid(i) * math.tanh(g)
        assert float(c[0, n, d]) == pytest.approx(cell, rel=1e-12)
        assert float(h[0, n, d]) == pytest.approx(sigmoid(o) * math.tanh(cell), rel=1e-12)


def test_the_gradient_of_a_forget_gate_between_0_and_1_is_caffes() -> None:
    c_prev, x = (
        bottom.detach().requires_grad_() for bottom in random_bottoms((1, 1, 1), (1, 1, 4))
    )
    cont = torch.tensor([[0.25]], dtype=torch.double, requires_grad=True)

    c, _ = make_layer(UNIT, (1, 1, 1), (1, 1, 4), (1, 1))(c_prev, x, cont)
    c.sum().backward()

    f = 0.25 * sigmoid(x[0, 0, 1].item())
    assert x.grad is not None
    assert float(x.grad[0, 0, 1]) == pytest.approx(c_prev.item() * f * (1 - f))
    assert cont.grad is None


def test_the_start_of_a_sequence_hides_a_gate_that_is_no_number() -> None:
    x = torch.zeros(1, 1, 4)
    x[0, 0, 1] = math.nan

    c, _ = make_layer(UNIT, (1, 1, 1), (1, 1, 4), (1, 1))(torch.ones(1, 1, 1), x, torch.zeros(1, 1))

    assert c.item() == 0


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        pytest.param(((3, 5), (1, 3, 20), (1, 3)), r"c_prev has shape \(3, 5\)", id="two axes"),
        pytest.param(
            ((2, 3, 5), (2, 3, 20), (2, 3)), r"c_prev has shape \(2, 3, 5\)", id="2 steps"
        ),
        pytest.param(
            ((1, 3, 5), (1, 3, 15), (1, 3)), r"x has .*15\), must be \(1, 3, 20\)", id="x"
        ),
        pytest.param(((1, 3, 5), (1, 3, 20), (1, 4)), r"cont has .*must be \(1, 3\)", id="cont"),
    ],
)
def test_shapes_are_held_at_build_and_at_run(shapes: tuple[Shape, ...], text: str) -> None:
    with pytest.raises(LayerError, match=f"'unit' .*{text}"):
        make_layer(UNIT, *shapes)
    with pytest.raises(LayerError, match=f"'unit' .*{text}"):
        make_layer(UNIT, *SHAPES).top_shapes(*shapes)
