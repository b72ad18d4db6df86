"""Layers of 2014, for which `layers { ... }` and enums stood."""

import pytest
from google.protobuf.descriptor import FieldDescriptor

from caffepy.graph.upgrade import v1
from caffepy.graph.upgrade.entry import Entry
from caffepy.proto import LayerParameter, NetParameter, V1LayerParameter
from caffepy.proto.position import Position
from tests.graph.upgrade.old import check_upgrade, net, refusals


def test_a_layer() -> None:
    check_upgrade(
        v1,
        """
        name: "n" force_backward: true state { level: 2 }
        layers {
          name: "ip" type: INNER_PRODUCT bottom: "x" top: "y" loss_weight: 0.5
          include { phase: TRAIN } exclude { stage: "s" } blobs { data: 3 }
          inner_product_param { num_output: 3 } loss_param { normalize: false }
        }
        """,
        """
        name: "n" force_backward: true state { level: 2 }
        layer {
          name: "ip" type: "InnerProduct" bottom: "x" top: "y" loss_weight: 0.5
          include { phase: TRAIN } exclude { stage: "s" } blobs { data: 3 }
          inner_product_param { num_output: 3 } loss_param { normalize: false }
        }
        """,
    )


@pytest.mark.parametrize(
    ("lists", "specs"),
    [
        pytest.param(
            "blobs_lr: 1 blobs_lr: 2", "param { lr_mult: 1 } param { lr_mult: 2 }", id="lr"
        ),
        pytest.param("weight_decay: 0", "param { decay_mult: 0 }", id="decay"),
        pytest.param("param: 'w' param: ''", "param { name: 'w' } param { name: '' }", id="names"),
        pytest.param(
            "blob_share_mode: PERMISSIVE blob_share_mode: STRICT",
            "param { share_mode: PERMISSIVE } param { share_mode: STRICT }",
            id="modes",
        ),
        pytest.param(
            "blobs_lr: 3 weight_decay: 1 weight_decay: 0 param: 'w'",
            "param { name: 'w' lr_mult: 3 decay_mult: 1 } param { decay_mult: 0 }",
            id="together",
        ),
    ],
)
def test_lists_over_the_blobs_become_specs_of_each(lists: str, specs: str) -> None:
    check_upgrade(v1, f"layers {{ {lists} }}", f"layer {{ {specs} }}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ABSVAL", "AbsVal"),
        ("CONTRASTIVE_LOSS", "ContrastiveLoss"),
        ("HDF5_DATA", "HDF5Data"),
        ("IM2COL", "Im2col"),
        ("MULTINOMIAL_LOGISTIC_LOSS", "MultinomialLogisticLoss"),
        ("NONE", ""),
        ("RELU", "ReLU"),
        ("SIGMOID_CROSS_ENTROPY_LOSS", "SigmoidCrossEntropyLoss"),
        ("SOFTMAX_LOSS", "SoftmaxWithLoss"),
        ("TANH", "TanH"),
    ],
)
def test_types(old: str, new: str) -> None:
    check_upgrade(v1, f"layers {{ type: {old} }}", f"layer {{ type: '{new}' }}")


def test_every_type_has_its_name() -> None:
    assert set(v1.TYPES) == set(V1LayerParameter.LayerType.keys())
    assert len(set(v1.TYPES.values())) == len(v1.TYPES)


def test_a_layer_without_a_type_has_none_then() -> None:
    check_upgrade(v1, "layers { name: 'a' }", "layer { name: 'a' }")


OTHERS = [
    field
    for field in V1LayerParameter.DESCRIPTOR.fields
    if field.name not in {"layer", "type", *v1.SPECS}
]


@pytest.mark.parametrize("field", OTHERS, ids=lambda field: str(field.name))
def test_every_other_field_has_its_like(field: FieldDescriptor) -> None:
    like = LayerParameter.DESCRIPTOR.fields_by_name[field.name]

    assert (like.type, like.message_type, like.is_repeated) == (
        field.type,
        field.message_type,
        field.is_repeated,
    )


def test_a_net_with_both_formats_is_refused() -> None:
    text = "layer { name: 'a' }\nlayers { name: 'b' }"

    assert refusals(v1, text) == [
        "net.prototxt:2:1: has both `layers` and `layer`; a net may have only one of the two formats"
    ]


def test_places_keep_to_their_values() -> None:
    new, _ = v1.upgrade(
        net("""
layers { name: "r" type: RELU }
layers {
  name: "ip" type: INNER_PRODUCT bottom: "r" top: "x"
  blobs_lr: 1 blobs_lr: 2
  weight_decay: 1
  inner_product_param { num_output: 3 }
}
""")
    )

    assert str(new.position.at("layer", 0, "type")) == "net.prototxt:1:20"
    ip = new.position.at("layer", 1)
    assert {
        path: str(ip.at(*path)).removeprefix("net.prototxt:")
        for path in [
            (),
            ("bottom",),
            ("param", 0),
            ("param", 1, "lr_mult"),
            ("param", 0, "decay_mult"),
            ("param", 1, "decay_mult"),
            ("inner_product_param", "num_output"),
        ]
    } == {
        (): "2:1",
        ("bottom",): "3:34",
        ("param", 0): "4:3",
        ("param", 1, "lr_mult"): "4:15",
        ("param", 0, "decay_mult"): "5:3",
        ("param", 1, "decay_mult"): "4:15",
        ("inner_product_param", "num_output"): "6:25",
    }
    assert "layers" not in new.position.fields


def test_a_net_made_in_memory_has_one_place() -> None:
    message = NetParameter(name="n")
    message.layers.add(name="a", type=V1LayerParameter.RELU, blobs_lr=[1])

    new, _ = v1.upgrade(Entry(message, Position("made here")))

    assert new.message.layer[0].type == "ReLU"
    assert str(new.position.at("layer", 0, "param", 0, "lr_mult")) == "made here"
