import numpy as np
import pytest

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = """
    name: "ip1"
    type: "InnerProduct"
    inner_product_param {
      num_output: 7
      weight_filler { type: "xavier" }
      bias_filler { type: "constant" value: 0.5 }
      %s
    }
"""


@pytest.mark.parametrize(
    ("option", "top", "blobs"),
    [
        pytest.param("", (2, 7), [(7, 60), (7,)], id="default"),
        pytest.param("bias_term: false", (2, 7), [(7, 60)], id="no bias"),
        pytest.param("transpose: true", (2, 7), [(60, 7), (7,)], id="transposed"),
        pytest.param("axis: 0", (7,), [(7, 120), (7,)], id="axis 0"),
        pytest.param("axis: 2", (2, 3, 7), [(7, 20), (7,)], id="axis 2"),
        pytest.param("axis: -1", (2, 3, 4, 7), [(7, 5), (7,)], id="last axis"),
    ],
)
def test_conforms(option: str, top: Shape, blobs: list[Shape]) -> None:
    layer = make_layer(PROTOTXT % option, (2, 3, 4, 5))
    check_layer(layer, random_bottoms((2, 3, 4, 5)), tops=[top], blobs=blobs)


@pytest.mark.parametrize("transpose", [False, True], ids=["plain", "transposed"])
def test_value_is_a_weighted_sum_of_the_whole_item(transpose: bool) -> None:
    layer = make_layer(PROTOTXT % f"transpose: {transpose}".lower(), (2, 3, 5))
    (x,) = random_bottoms((2, 3, 5))
    weight, bias = (blob.detach().numpy() for blob in layer.parameters())
    weight = weight.T if transpose else weight
    items = x.detach().numpy().reshape(2, 15)
    expected = np.empty((2, 7))
    for n, o in np.ndindex(2, 7):
        expected[n, o] = sum(items[n, i] * weight[o, i] for i in range(15)) + bias[o]

    y = layer(x)

    np.testing.assert_allclose(y.detach(), expected, rtol=1e-12)


def test_without_fillers_the_blobs_are_zero() -> None:
    layer = make_layer('type: "InnerProduct" inner_product_param { num_output: 7 }', (2, 3))

    assert all((blob == 0).all() for blob in layer.parameters())


def test_the_batch_may_change_but_not_the_item() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4, 5))

    assert layer.top_shapes((9, 3, 4, 5)) == [(9, 7)]
    with pytest.raises(
        LayerError, match=r"'ip1'.*Input size incompatible with inner product parameters.*80.*60"
    ):
        layer.top_shapes((2, 4, 4, 5))


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        pytest.param("", "num_output", "num_output is missing or 0", id="no num_output"),
        pytest.param("num_output: 0", "num_output", "num_output is missing or 0", id="0"),
        pytest.param("num_output: 7 axis: 3", "axis", "axis is 3.*2, 3, 4", id="no such axis"),
        pytest.param(
            'num_output: 7 weight_filler { type: "xaver" }',
            "weight_filler.type",
            "'xaver'; did you mean 'xavier'",
            id="filler",
        ),
    ],
)
def test_errors_name_the_layer_and_the_field(options: str, field: str, text: str) -> None:
    prototxt = 'name: "ip1" type: "InnerProduct" inner_product_param { %s }'

    with pytest.raises(LayerError, match=f"'ip1' .*{text}") as caught:
        make_layer(prototxt % options, (2, 3, 4))

    assert caught.value.field == f"inner_product_param.{field}"
