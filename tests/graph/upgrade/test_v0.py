"""Layers of 2013: a message of all settings inside one of bottoms and tops."""

import pytest

from caffepy.graph.problem import Problem
from caffepy.graph.upgrade import v0
from caffepy.proto import V0LayerParameter
from tests.graph.upgrade.old import check_upgrade, net, refusals

FILLERS = "weight_filler { type: 'xavier' } bias_filler { value: 2 }"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(
            f"type: 'conv' num_output: 6 biasterm: false {FILLERS} pad: 1 kernelsize: 5 group: 2 "
            "stride: 3",
            f"type: CONVOLUTION convolution_param {{ num_output: 6 bias_term: false {FILLERS} "
            "pad: 1 kernel_size: 5 group: 2 stride: 3 }",
            id="conv",
        ),
        pytest.param(
            f"type: 'innerproduct' num_output: 6 biasterm: true {FILLERS}",
            f"type: INNER_PRODUCT inner_product_param {{ num_output: 6 bias_term: true {FILLERS} }}",
            id="innerproduct",
        ),
        pytest.param(
            "type: 'pool' pool: STOCHASTIC kernelsize: 3 stride: 2 pad: 1",
            "type: POOLING pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 pad: 1 }",
            id="pool",
        ),
        pytest.param(
            "type: 'lrn' local_size: 3 alpha: 2 beta: 0.5 k: 4",
            "type: LRN lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 4 }",
            id="lrn",
        ),
        pytest.param(
            "type: 'dropout' dropout_ratio: 0.4",
            "type: DROPOUT dropout_param { dropout_ratio: 0.4 }",
            id="dropout",
        ),
        pytest.param(
            "type: 'concat' concat_dim: 0",
            "type: CONCAT concat_param { concat_dim: 0 }",
            id="concat",
        ),
        pytest.param(
            "type: 'data' source: 's' batchsize: 8 rand_skip: 5 scale: 2 meanfile: 'm' cropsize: 4 "
            "mirror: true",
            "type: DATA data_param { source: 's' batch_size: 8 rand_skip: 5 } "
            "transform_param { scale: 2 mean_file: 'm' crop_size: 4 mirror: true }",
            id="data",
        ),
        pytest.param(
            "type: 'images' source: 's' batchsize: 8 rand_skip: 5 shuffle_images: true "
            "new_height: 6 new_width: 7",
            "type: IMAGE_DATA image_data_param { source: 's' batch_size: 8 rand_skip: 5 "
            "shuffle: true new_height: 6 new_width: 7 }",
            id="images",
        ),
        pytest.param(
            "type: 'window_data' source: 's' batchsize: 8 det_fg_threshold: 0.1 "
            "det_bg_threshold: 0.2 det_fg_fraction: 0.3 det_context_pad: 4 det_crop_mode: 'square'",
            "type: WINDOW_DATA window_data_param { source: 's' batch_size: 8 fg_threshold: 0.1 "
            "bg_threshold: 0.2 fg_fraction: 0.3 context_pad: 4 crop_mode: 'square' }",
            id="window_data",
        ),
        pytest.param(
            "type: 'hdf5_data' source: 's' batchsize: 8",
            "type: HDF5_DATA hdf5_data_param { source: 's' batch_size: 8 }",
            id="hdf5_data",
        ),
        pytest.param(
            "type: 'hdf5_output' hdf5_output_param { file_name: 'f' }",
            "type: HDF5_OUTPUT hdf5_output_param { file_name: 'f' }",
            id="hdf5_output",
        ),
        pytest.param(
            "type: 'infogain_loss' source: 's'",
            "type: INFOGAIN_LOSS infogain_loss_param { source: 's' }",
            id="infogain_loss",
        ),
        pytest.param("type: 'softmax_loss'", "type: SOFTMAX_LOSS", id="no settings"),
        pytest.param("type: 'relu' scale: 2", "type: RELU transform_param { scale: 2 }", id="any"),
        pytest.param("", "", id="no type"),
    ],
)
def test_a_layer(old: str, new: str) -> None:
    more = "name: 'a' blobs { data: 3 } blobs_lr: 1 blobs_lr: 2 weight_decay: 0"
    wires = "bottom: 'x' bottom: 'y' top: 'z'"
    check_upgrade(
        v0,
        f"layers {{ layer {{ {more} {old} }} {wires} }}",
        f"layers {{ {more} {new} {wires} }}",
    )


@pytest.mark.parametrize("type_", [name for name, kind in v0.KINDS.items() if not kind.fields])
def test_types_without_settings_keep_their_name(type_: str) -> None:
    check_upgrade(
        v0,
        f"layers {{ layer {{ type: '{type_}' }} }}",
        f"layers {{ type: {type_.upper()} }}",
    )


def test_the_nets_own_fields_stay_and_padding_layers_go() -> None:
    own = "name: 'n' force_backward: true debug_info: true input: 'x' input_dim: 2"
    check_upgrade(
        v0,
        f"""{own} layers {{ layer {{ type: "padding" pad: 1 }} bottom: "x" top: "p" }}
            layers {{ layer {{ type: "conv" }} bottom: "p" top: "c" }}""",
        f"""{own} layers {{ type: CONVOLUTION convolution_param {{ pad: 1 }}
            bottom: "x" top: "c" }}""",
    )


def test_every_setting_has_its_place_in_some_type() -> None:
    placed = {field for kind in v0.KINDS.values() for field in kind.fields.split()}

    unplaced = set(V0LayerParameter.DESCRIPTOR.fields_by_name) - placed - set(v0.COMMON)

    assert unplaced == {"type", "new_num", "new_channels"}  # memory data was no V0 type


def test_what_a_type_does_not_take_is_left_out_and_told() -> None:
    text = "layers { layer { name: 'r' type: 'relu'\n stride: 2 new_num: 1 } }"

    after, problems = v0.upgrade(net(text))

    assert after.message == net("layers { name: 'r' type: RELU }").message
    assert problems == [
        Problem(
            "warning", f"net.prototxt:{place}", f"layer 'r': relu takes no {field}: it is left out"
        )
        for place, field in [("2:2", "stride"), ("2:12", "new_num")]
    ]


def test_what_stands_beside_a_v0_layer_is_left_out_and_told() -> None:
    text = "layers { layer { name: 'r' type: 'relu' }\n include { phase: TEST } loss_weight: 1 }"

    after, problems = v0.upgrade(net(text))

    assert after.message == net("layers { name: 'r' type: RELU }").message
    assert [str(problem) for problem in problems] == [
        "net.prototxt:2:2: layer 'r': include, loss_weight beside `layer { ... }`: left out, "
        "as by Caffe"
    ]


def test_where_one_layer_is_v0_so_are_all() -> None:
    """Caffe reads bottoms and tops of the others, and nothing else."""
    text = """
layers { layer { name: 'a' type: 'relu' } bottom: 'x' top: 'y' }
layers { name: 'b' type: SIGMOID bottom: 'y' top: 'z' }
"""

    after, problems = v0.upgrade(net(text))

    assert (
        after.message
        == net(
            "layers { name: 'a' type: RELU bottom: 'x' top: 'y' } layers { bottom: 'y' top: 'z' }"
        ).message
    )
    assert problems == [
        Problem(
            "error",
            "net.prototxt:2:1",
            "layer 'b' is a V1 layer in a net with V0 layers; "
            "write each of them in the same format",
        )
    ]


def test_all_that_is_wrong_is_raised_together() -> None:
    text = """
layers { layer { name: "a" type: "convolution" } top: "x" }
layers { layer { name: "i" type: "images" new_height: -1 } top: "y" }
layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" }
layers { layer { name: "b" type: "bnll" } bottom: "p" }
"""

    lines = refusals(v0, text)

    assert [line.partition("; ")[0].partition(" (V0")[0] for line in lines] == [
        "net.prototxt:4:43: layer 'b' of type 'bnll' reads padding layer 'p', which conv or pool may",
        "net.prototxt:1:28: layer 'a': Unknown layer name: convolution",
        "net.prototxt:2:43: new_height: Value out of range: -1",
    ]
    assert "types: accuracy, bnll, concat, conv, " in lines[1]


def test_places_keep_to_their_values() -> None:
    text = """
layers {
  layer {
    name: "p" type: "pool"
    kernelsize: 3 blobs_lr: 1 blobs_lr: 2
    scale: 2
  }
  bottom: "x" top: "y"
}
"""

    after, _ = v0.upgrade(net(text))

    layer = after.position.at("layers", 0)
    assert {
        path: str(layer.at(*path)).removeprefix("net.prototxt:")
        for path in [
            (),
            ("type",),
            ("pooling_param",),
            ("pooling_param", "kernel_size"),
            ("blobs_lr", 1),
            ("transform_param", "scale"),
            ("top",),
        ]
    } == {
        (): "1:1",
        ("type",): "3:15",
        ("pooling_param",): "4:5",
        ("pooling_param", "kernel_size"): "4:5",
        ("blobs_lr", 1): "4:31",
        ("transform_param", "scale"): "5:5",
        ("top",): "7:15",
    }
