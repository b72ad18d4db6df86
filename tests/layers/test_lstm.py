import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

Array = NDArray[np.float64]
T, N, D = 4, 3, 5
X: Shape = (T, N, 2, 3)
STATIC: Shape = (N, 2, 7)
CONT = torch.tensor([[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.double)
PROTOTXT = """
    type: "LSTM"
    recurrent_param {
      num_output: 5
      weight_filler { type: "uniform" min: -0.5 max: 0.5 }
      bias_filler { type: "uniform" min: -0.5 max: 0.5 }
      %s
    }
"""


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def steps(z: Array, w_h: Array, cont: Array, h: Array, c: Array) -> list[tuple[Array, Array]]:
    """h and c after each step, by the formula; z: (T, N, 4 D), what the input gives to the gates."""
    states = []
    for t in range(len(z)):
        k = cont[t][:, None]
        gates = z[t] + (k * h) @ w_h.T
        i, f, o, g = (gates[:, part * D : (part + 1) * D] for part in range(4))
        c = k * sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append((h, c))
    return states


@pytest.mark.parametrize(
    ("bottoms", "blobs"),
    [
        pytest.param((), [(20, 6), (20,), (20, 5)], id="x"),
        pytest.param((STATIC,), [(20, 6), (20,), (20, 14), (20, 5)], id="x and x_static"),
    ],
)
def test_conforms(bottoms: tuple[Shape, ...], blobs: list[Shape]) -> None:
    layer = make_layer(PROTOTXT % "", X, (T, N), *bottoms)
    x, *rest = random_bottoms(X, *bottoms)

    check_layer(layer, (x, CONT, *rest), tops=[(T, N, D)], blobs=blobs)


def test_conforms_with_its_state_exposed() -> None:
    shapes: tuple[Shape, ...] = (X, (T, N), STATIC, (1, N, D), (1, N, D))
    layer = make_layer(PROTOTXT % "expose_hidden: true", *shapes)
    x, static, *state = random_bottoms(X, *shapes[2:])
    bottoms = (x, CONT, static, *(part.detach() for part in state))

    tops: list[Shape] = [(T, N, D), (1, N, D), (1, N, D)]
    check_layer(layer, bottoms, tops=tops, blobs=[(20, 6), (20,), (20, 14), (20, 5)])


def test_values_are_those_of_the_formula_step_by_step() -> None:
    shapes: tuple[Shape, ...] = (X, (T, N), STATIC, (1, N, D), (1, N, D))
    layer = make_layer(PROTOTXT % "expose_hidden: true", *shapes)
    x, static, h0, c0 = random_bottoms(X, *shapes[2:])
    cont = CONT.clone()
    cont[0] = 1
    w, b, w_static, w_h = (blob.detach().numpy() for blob in layer.parameters())
    z = x.detach().numpy().reshape(T, N, 6) @ w.T + b
    z += static.detach().numpy().reshape(1, N, 14) @ w_static.T

    h, h_last, c_last = layer(x, cont, static, h0, c0)

    states = steps(z, w_h, cont.numpy(), h0[0].detach().numpy(), c0[0].detach().numpy())
    np.testing.assert_allclose(h.detach(), [h for h, _ in states], rtol=1e-10)
    np.testing.assert_allclose(h_last[0], states[-1][0], rtol=1e-10)
    np.testing.assert_allclose(c_last[0], states[-1][1], rtol=1e-10)


def test_a_sequence_that_begins_forgets_what_was_before() -> None:
    (x,) = random_bottoms(X)
    begun, going = make_layer(PROTOTXT % "", X, (T, N)), make_layer(PROTOTXT % "", X, (T, N))
    going(x, CONT)

    torch.testing.assert_close(begun(x, CONT), going(x, CONT))


def test_an_exported_layer_computes_the_same() -> None:
    layer = make_layer(PROTOTXT % "", X, (T, N))
    (x,) = (bottom.detach() for bottom in random_bottoms(X))
    exported = torch.export.export(layer, (x, torch.ones_like(CONT)), strict=False).module()

    for _ in range(2):
        ours, theirs = layer(x, torch.ones_like(CONT)), exported(x, torch.ones_like(CONT))
        torch.testing.assert_close(theirs, ours)
