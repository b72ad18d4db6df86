import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import caffepy.pycaffe as caffe
from caffepy.pycaffe.net_file import read_net

Net: Any = caffe.Net  # which gets what scripts may give
TEXT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 4 } include { min_level: 2 stage: "deep" } }
"""


@pytest.fixture
def prototxt(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("level", "stages", "names"),
    [
        (2, ["deep"], ["x", "ip"]),
        (1, ["deep"], ["x"]),
        (2, None, ["x"]),
        (3, ("deep",), ["x", "ip"]),
    ],
    ids=["both", "level too low", "no stage", "tuple"],
)
def test_level_and_stages_choose_layers(
    prototxt: Path, level: int, stages: list[str] | None, names: list[str]
) -> None:
    assert read_net(prototxt, caffe.TEST, level, stages).layer_names == names


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda path: Net(path, 2), ValueError, "phase is 2, and may be caffe.TRAIN or"),
        (lambda path: Net(path, None), ValueError, "phase is None"),
        (lambda path: Net(path, "net.caffemodel"), TypeError, "'net.caffemodel' is no phase"),
        (lambda _: Net(5, 1), TypeError, "a net is read from a file; 5 is"),
        (lambda path: Net(path, 1, stages="deep"), TypeError, "the text 'deep' is given"),
        (Net, TypeError, "phase"),
        (lambda path: Net(path, 1, wieghts="w"), TypeError, "wieghts"),
        (lambda path: Net(f"{path}x", 1), RuntimeError, r"cannot read .*did you mean"),
        (lambda path: Net(path, 1, weights="w.caffemodel"), RuntimeError, "w.caffemodel"),
    ],
    ids=[
        "number",
        "no phase",
        "weights for phase",
        "no file",
        "stages as text",
        "one argument",
        "misspelt",
        "missing file",
        "missing weights",
    ],
)
def test_wrong_arguments_are_exceptions(
    prototxt: Path, call: Callable[[str], object], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        call(str(prototxt))


def test_what_a_file_may_have_wrong_is_shown_once(
    prototxt: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        caffe.Net(str(prototxt), caffe.TRAIN, 2, ["deep"])

    (message,) = caplog.messages
    assert "weight_filler" in message
