import pytest
import torch

from caffepy.errors import LayerError
from tests.net.nets import net_of

PAIR = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
layer {{
  name: "one" type: "InnerProduct" bottom: "data" top: "one"
  param {{ name: "w" {first} }}
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }}
}}
layer {{
  name: "two" type: "InnerProduct" bottom: "one" top: "two"
  param {{ name: "w" {second} }}
  inner_product_param {{ num_output: {outputs} {options} weight_filler {{ type: "xavier" }} }}
}}
"""


def pair(first: str = "", second: str = "", outputs: int = 3, options: str = "") -> str:
    return PAIR.format(first=first, second=second, outputs=outputs, options=options)


def test_layers_that_name_one_param_share_data_and_gradient() -> None:
    net = net_of(pair())
    x = torch.rand(2, 3)

    net(data=x)["two"].sum().backward()

    assert [(entry.layer, entry.index) for entry in net.learnable] == [
        ("one", 0),
        ("one", 1),
        ("two", 1),
    ]
    weight = net.learnable[0].param.detach()
    torch.testing.assert_close(net(data=x)["two"].detach(), x @ weight.T @ weight.T)
    ones = torch.ones(2, 3)
    expected = ones.T @ (x @ weight.T) + (ones @ weight).T @ x
    torch.testing.assert_close(net.learnable[0].param.grad, expected)


def test_a_rate_that_the_owner_leaves_open_is_taken_from_the_sharing_layer() -> None:
    net = net_of(pair(second="lr_mult: 3 decay_mult: 0"))

    assert (net.learnable[0].lr_mult, net.learnable[0].decay_mult) == (3, 0)


def test_rates_that_differ_are_refused() -> None:
    with pytest.raises(LayerError, match=r"'one', which has lr_mult 1; here it is 2"):
        net_of(pair("lr_mult: 1", "lr_mult: 2"))


def test_strict_sharing_refuses_another_shape() -> None:
    with pytest.raises(LayerError, match=r"shape \(3, 3\); here it has \(4, 3\)"):
        net_of(pair(outputs=4))


def test_permissive_sharing_refuses_another_count() -> None:
    with pytest.raises(LayerError, match="has 9 numbers; here it has 12"):
        net_of(pair(second="share_mode: PERMISSIVE", outputs=4))


def test_permissive_sharing_views_the_owner_in_the_shape_of_each_layer() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 6 } } }
    layer { name: "one" type: "InnerProduct" bottom: "data" top: "one" param { name: "w" }
            inner_product_param { num_output: 2 bias_term: false weight_filler { type: "xavier" } } }
    layer { name: "two" type: "InnerProduct" bottom: "one" top: "two"
            param { name: "w" share_mode: PERMISSIVE }
            inner_product_param { num_output: 6 bias_term: false weight_filler { type: "xavier" } } }
    """
    net = net_of(text)
    x = torch.rand(2, 6)

    result = net(data=x)["two"]
    result.sum().backward()

    weight = net.learnable[0].param.detach()
    torch.testing.assert_close(result.detach(), x @ weight.T @ weight.reshape(6, 2).T)
    assert [tuple(blob.shape) for blob in net.blobs_of(2)] == [(6, 2)]
    assert net.learnable[0].param.grad is not None


def test_owners_are_the_parameters_that_a_layer_computes_with() -> None:
    net = net_of(pair())
    shared, first_bias, second_bias = (entry.param for entry in net.learnable)

    assert [net.blobs.owners_of(index) for index in range(3)] == [
        [],
        [shared, first_bias],
        [shared, second_bias],
    ]


def test_a_rate_of_zero_freezes_a_blob() -> None:
    net = net_of(pair("lr_mult: 0"))

    assert [entry.param.requires_grad for entry in net.learnable] == [False, True, True]


def test_more_param_entries_than_blobs_are_refused_with_their_place() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "relu" type: "ReLU" bottom: "data" top: "data"
            param { lr_mult: 1 } }"""
    with pytest.raises(LayerError, match=r"prototxt:4:\d+: .*'relu'.*1 param entries.* 0 blobs"):
        net_of(text)


def test_the_blobs_of_layers_above_are_shared_and_the_others_are_not() -> None:
    net = net_of(pair())

    assert [net.blobs.shared(index) for index in range(3)] == [[], [False, False], [True, False]]
