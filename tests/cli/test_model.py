import argparse
import logging
from pathlib import Path

import pytest

from caffepy.cli.model import build_model
from caffepy.net.weights import write_weights
from caffepy.proto import TEST, TRAIN

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" relu_param { }
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip" top: "ip" include { phase: TRAIN } }
"""


def flags(folder: Path, *weights: str) -> argparse.Namespace:
    (folder / "net.prototxt").write_text(NET)
    return argparse.Namespace(
        model=str(folder / "net.prototxt"),
        weights=list(weights),
        gpu=[],
        level=0,
        stage=[],
        pool_norm_order=None,
        data_workers=1,
    )


def test_the_phase_chooses_layers_and_warnings_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "caffepy")

    assert build_model(flags(tmp_path), TRAIN).layer_names == ["x", "ip", "drop"]
    assert build_model(flags(tmp_path), TEST).layer_names == ["x", "ip"]

    assert ["relu_param" in record.getMessage() for record in caplog.records] == [True, True]


def test_weights_are_loaded(tmp_path: Path) -> None:
    first = build_model(flags(tmp_path), TEST)
    write_weights(first, tmp_path / "net.caffemodel")

    second = build_model(flags(tmp_path, str(tmp_path / "net.caffemodel")), TEST)

    assert second.blobs_of(1)[0].equal(first.blobs_of(1)[0])
