from pathlib import Path

import pytest
import torch

import caffepy
from caffepy.errors import ParseError
from caffepy.net.weights import write_weights

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" include { phase: TRAIN } }
"""


def test_a_net_is_loaded_with_its_weights(tmp_path: Path) -> None:
    prototxt, weights = tmp_path / "deploy.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(TEXT)
    trained = caffepy.load_net(prototxt, phase="train")
    write_weights(trained, weights)

    net = caffepy.load_net(prototxt, weights)

    assert trained.layer_names == ["data", "ip", "drop"]
    assert net.layer_names == ["data", "ip"]
    x = torch.rand(2, 3)
    weight, bias = trained.blobs_of(1)
    torch.testing.assert_close(net(data=x)["ip"].detach(), x @ weight.T + bias)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match=r"nothing\.prototxt"):
        caffepy.load_net(tmp_path / "nothing.prototxt")
