import numpy as np
import pytest
import torch

from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

T, N, D = 4, 3, 5
X: Shape = (T, N, 2, 3)
STATIC: Shape = (N, 2, 7)
CONT = torch.tensor([[0, 0, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.double)
PROTOTXT = """
    type: "RNN"
    recurrent_param {
      num_output: 5
      weight_filler { type: "uniform" min: -0.5 max: 0.5 }
      bias_filler { type: "uniform" min: -0.5 max: 0.5 }
      %s
    }
"""


@pytest.mark.parametrize(
    ("bottoms", "blobs"),
    [
        pytest.param((), [(5, 6), (5,), (5, 5), (5, 5), (5,)], id="x"),
        pytest.param((STATIC,), [(5, 6), (5,), (5, 14), (5, 5), (5, 5), (5,)], id="x and x_static"),
    ],
)
def test_conforms(bottoms: tuple[Shape, ...], blobs: list[Shape]) -> None:
    layer = make_layer(PROTOTXT % "", X, (T, N), *bottoms)
    x, *rest = random_bottoms(X, *bottoms)

    check_layer(layer, (x, CONT, *rest), tops=[(T, N, D)], blobs=blobs)


def test_values_are_those_of_the_formula_step_by_step() -> None:
    shapes: tuple[Shape, ...] = (X, (T, N), STATIC, (1, N, D))
    layer = make_layer(PROTOTXT % "expose_hidden: true", *shapes)
    x, static, h0 = (bottom.detach() for bottom in random_bottoms(X, *shapes[2:]))
    cont = CONT.clone()
    cont[0] = 1
    w, b, w_static, w_h, w_o, b_o = (blob.detach().numpy() for blob in layer.parameters())
    h, expected = h0[0].numpy(), []
    for t in range(T):
        inputs = x[t].numpy().reshape(N, 6) @ w.T + static.numpy().reshape(N, 14) @ w_static.T + b
        h = np.tanh(inputs + (cont[t].numpy()[:, None] * h) @ w_h.T)
        expected.append(np.tanh(h @ w_o.T + b_o))

    o, last = layer(x, cont, static, h0)

    np.testing.assert_allclose(o.detach(), expected, rtol=1e-10)
    np.testing.assert_allclose(last[0], h, rtol=1e-10)
