import math

import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer

PROTOTXT = """
    name: "embed" type: "Embed" embed_param {
      input_dim: 6 num_output: 4
      weight_filler { type: "uniform" min: -1 max: 1 }
      bias_filler { type: "uniform" min: -1 max: 1 }
      %s
    }
"""


def indices_of(shape: Shape) -> torch.Tensor:
    """Whole numbers from 0 to 5, with every one of them repeated in a large shape."""
    count = int(np.prod(shape))
    return (torch.arange(count, dtype=torch.double) * 7 % 6).reshape(shape)


@pytest.mark.parametrize(
    ("option", "blobs"),
    [
        pytest.param("", [(6, 4), (4,)], id="default"),
        pytest.param("bias_term: false", [(6, 4)], id="no bias"),
    ],
)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 1, 5), ()], ids=str)
def test_conforms(option: str, blobs: list[Shape], shape: Shape) -> None:
    layer = make_layer(PROTOTXT % option, shape)
    check_layer(layer, [indices_of(shape)], tops=[(*shape, 4)], blobs=blobs)


def test_each_number_names_a_row_and_rows_named_twice_get_both_gradients() -> None:
    layer = make_layer(PROTOTXT % "", (3, 5))
    weight, bias = layer.parameters()
    x = indices_of((3, 5))
    expected, gradient = np.empty((3, 5, 4)), np.zeros((6, 4))
    for n, t in np.ndindex(3, 5):
        row = int(x[n, t])
        expected[n, t] = weight[row].detach().numpy() + bias.detach().numpy()
        gradient[row] += 1

    y = layer(x)
    y.sum().backward()

    np.testing.assert_allclose(y.detach(), expected, rtol=1e-12)
    assert weight.grad is not None
    assert bias.grad is not None
    np.testing.assert_allclose(weight.grad, gradient)
    np.testing.assert_allclose(bias.grad, np.full(4, 15))


def test_fractions_are_cut_off_and_the_numbers_get_no_gradient() -> None:
    layer = make_layer(PROTOTXT % "", (3,))
    x = torch.tensor([1.9, -0.5, 5.2], dtype=torch.double, requires_grad=True)

    y = layer(x)
    layer.check(x)
    y.sum().backward()

    np.testing.assert_array_equal(y.detach(), layer(torch.tensor([1.0, 0.0, 5.0])).detach())
    assert x.grad is None


@pytest.mark.parametrize(
    ("shape", "wrong", "text"),
    [
        pytest.param((3,), {2: 6.0}, "the number of item 2 is 6; allowed", id="above"),
        pytest.param((3,), {1: -1.0}, "the number of item 1 is -1; allowed", id="below"),
        pytest.param((3,), {0: math.nan}, "the number of item 0 is nan; allowed", id="nan"),
        pytest.param((), {0: 9.0}, "the number of item 0 is 9; allowed", id="a single number"),
        pytest.param(
            (2, 3, 5),
            {7: 1e9, 9: -3.0, 29: 8.0},
            r"the number of item 0, place \(1, 2\) is 1e\+09 \(and 2 more\); allowed",
            id="several",
        ),
    ],
)
def test_a_number_without_a_row_is_refused(
    shape: Shape, wrong: dict[int, float], text: str
) -> None:
    layer, x = make_layer(PROTOTXT % "", shape), indices_of(shape)
    layer.check(x)
    for place, value in wrong.items():
        x.view(-1)[place] = value

    with pytest.raises(LayerError, match=f"'embed' .*{text} are 0 to 5: input_dim is 6") as caught:
        layer.check(x)

    assert caught.value.field == "embed_param.input_dim"


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("input_dim: 6", "num_output", "num_output is missing or 0", id="no outputs"),
        pytest.param("num_output: 4", "input_dim", "input_dim is missing or 0", id="no rows"),
        pytest.param(
            "num_output: 4 input_dim: 6 weight_filler { type: 'xaver' }",
            "weight_filler.type",
            "'xaver'; did you mean 'xavier'",
            id="filler",
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=f"'embed' .*{text}") as caught:
        make_layer(f'name: "embed" type: "Embed" embed_param {{ {options} }}', (3,))

    assert caught.value.field == f"embed_param.{field}"
