"""Python values into the fields of messages; what layers' settings become is in test_net_spec."""

import pytest

import caffepy.pycaffe.net_spec
from caffepy.proto import LayerParameter
from caffepy.pycaffe.assign import SpecError, assign_proto, param_name_dict, set_params


def test_a_message_is_filled_by_name() -> None:
    layer = LayerParameter()
    assign_proto(layer, "param", [{"name": "w"}, {"name": "b"}])
    assign_proto(layer, "include", {"stage": ["deploy", "x"]})
    assign_proto(layer, "top", "blob")

    assert [param.name for param in layer.param] == ["w", "b"]
    assert layer.include[0].stage == ["deploy", "x"]
    assert layer.top == ["blob"]


def test_the_messages_of_types() -> None:
    names = param_name_dict()

    assert names["Convolution"] == "convolution"
    assert names["HDF5Data"] == "hdf5_data"
    assert "Deconvolution" not in names


def test_settings_of_the_type_come_before_those_of_every_layer() -> None:
    """`name` is a field of all layers; `top_k` is Accuracy's own."""
    layer = LayerParameter(type="Accuracy")
    set_params(layer, {"name": "acc", "top_k": 5, "loss_weight": 0.5})

    assert (layer.name, layer.accuracy_param.top_k, [*layer.loss_weight]) == ("acc", 5, [0.5])


def test_a_field_that_there_is_not() -> None:
    with pytest.raises(SpecError, match="LayerParameter has no field 'botom'; did you mean 'bott"):
        assign_proto(LayerParameter(), "botom", "x")


def test_pycaffe_finds_them_where_it_looks() -> None:
    assert caffepy.pycaffe.net_spec.assign_proto is assign_proto
    assert caffepy.pycaffe.net_spec.param_name_dict is param_name_dict
