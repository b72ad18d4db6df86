import pytest
import torch

from caffepy.errors import LayerError
from caffepy.net.build import build_net
from tests.net.nets import graph_of, net_of

NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 4 dim: 5 }} }} }}
layer {{
  name: "conv"
  type: "Convolution"
  bottom: "data"
  top: "conv"
  convolution_param {{
    num_output: 4
    kernel_size: {kernel}
    weight_filler {{ type: "{filler}" }}
  }}
}}
layer {{ name: "drop" type: "Dropout" bottom: "conv" top: "drop" {phase} }}
"""


def text(kernel: int = 3, filler: str = "xavier", phase: str = "") -> str:
    return NET.format(kernel=kernel, filler=filler, phase=phase)


def test_fillers_draw_from_torchs_generator_in_file_order() -> None:
    torch.manual_seed(5)
    first = build_net(graph_of(text()))
    torch.manual_seed(5)
    second = build_net(graph_of(text()))

    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()))


def test_an_error_of_a_layer_names_the_place_of_the_field() -> None:
    with pytest.raises(LayerError, match=r"^net\.prototxt:11:\d+: layer 'conv'.*'xaver'.*'xavier'"):
        net_of(text(filler="xaver"))


def test_a_top_of_too_many_numbers_is_refused_by_name() -> None:
    shape = "shape { dim: 65536 dim: 128 dim: 256 }"

    with pytest.raises(
        LayerError,
        match=r"layer 'data' \(Input\): top 'x' is 65536 128 256, which are 2147483648 numbers; ",
    ):
        net_of(f'layer {{ name: "data" type: "Input" top: "x" input_param {{ {shape} }} }}')


def test_a_kernel_that_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(LayerError, match=r"^net\.prototxt:8:\d+: layer 'conv'.*\(6, 6\).*\(4, 5\)"):
        net_of(text(kernel=6))


@pytest.mark.parametrize(
    ("train", "phase", "training"),
    [
        pytest.param(True, "", True, id="train net"),
        pytest.param(False, "", False, id="test net"),
        pytest.param(False, "phase: TRAIN", True, id="layer with its own phase"),
    ],
)
def test_a_layer_runs_in_its_phase(train: bool, phase: str, training: bool) -> None:
    net = net_of(text(phase=phase), train=train)

    assert net.layers[2].training is training


GIVEN = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 2 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param {{ num_output: 2 bias_term: false }}
        {blobs} }}
"""


def test_blobs_in_the_prototxt_take_the_place_of_the_fillers() -> None:
    net = net_of(GIVEN.format(blobs="blobs { shape { dim: 2 dim: 2 } data: [1, 2, 3, 4] }"))

    assert net(data=torch.tensor([[1.0, 10.0]]))["ip"].tolist() == [[21, 43]]


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        pytest.param(
            "blobs { shape { dim: 2 } data: [1, 2] }", r"blob 0 .*\(2,\).*\(2, 2\)", id="shape"
        ),
        pytest.param("blobs {} blobs {}", "2 blobs given, the layer has 1", id="count"),
    ],
)
def test_blobs_that_do_not_fit_are_refused(blobs: str, message: str) -> None:
    with pytest.raises(LayerError, match=message):
        net_of(GIVEN.format(blobs=blobs))
