import logging

import pytest

from tests.net.nets import net_of

TEXT = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" top: "label"
        input_param { shape { dim: 6 dim: 5 } shape { dim: 6 } } }
layer { name: "frozen" type: "InnerProduct" bottom: "data" top: "frozen"
        param { lr_mult: 0 } param { lr_mult: 0 }
        inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "frozen" top: "frozen" }
layer { name: "ip" type: "InnerProduct" bottom: "frozen" top: "ip"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "side" type: "InnerProduct" bottom: "data" top: "side"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def test_a_net_says_how_it_is_wired(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "caffepy")

    net_of(TEXT)

    lines = [record.getMessage() for record in caplog.records]
    start = lines.index("Creating Layer relu")
    assert lines[start : start + 6] == [
        "Creating Layer relu",
        "relu <- frozen",
        "relu -> frozen (in-place)",
        "Setting up relu",
        "Top shape: 6 7 (42)",
        # data 30, label 6, the split of data 2 * 30, frozen 42, relu 42; 4 bytes each
        "Memory required for data: 720",
    ]
    assert "Top shape: (1)" in lines
    assert "    with loss weight 1" in lines
    assert lines[-3:] == [
        "This network produces output loss",
        "This network produces output side",
        "Network initialization done.",
    ]
