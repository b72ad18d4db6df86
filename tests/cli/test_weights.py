"""What is told of the files of weights."""

from pathlib import Path

import pytest

from caffepy.cli.weights import log_copies, log_start
from caffepy.net.weights import CopyReport, copy_weights, write_weights
from tests.net.nets import net_of

FIRST = CopyReport(copied=("conv1", "conv2"), ignored=("old",), kept=("ip1", "ip2"))
SECOND = CopyReport(copied=("conv2", "ip1"), ignored=(), kept=("conv1", "ip2"))


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        pytest.param([], [], id="no files"),
        pytest.param([CopyReport(("a", "b"), (), ())], ["Weights from files: a, b"], id="all fit"),
        pytest.param(
            [FIRST],
            [
                "Weights from files: conv1, conv2",
                "Weights from fillers, since no file has them: ip1, ip2",
            ],
            id="some fit",
        ),
        pytest.param(
            [FIRST, SECOND],
            [
                "Weights from files: conv1, conv2, ip1",
                "Weights from fillers, since no file has them: ip2",
            ],
            id="two files",
        ),
    ],
)
def test_tells_files_from_fillers(
    caplog: pytest.LogCaptureFixture, reports: list[CopyReport], expected: list[str]
) -> None:
    with caplog.at_level("INFO", logger="caffepy"):
        log_copies(reports)

    assert caplog.messages == expected


OLD = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
        convolution_param { num_output: 6 kernel_size: 2 } %(conv)s }
layer { name: "%(name)s" type: "InnerProduct" bottom: "conv" top: "score"
        inner_product_param { num_output: %(count)d bias_term: false } }
"""


def test_tells_what_a_net_to_train_starts_from(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_weights(net_of(OLD % {"conv": "", "name": "fc8", "count": 7}), tmp_path / "old")
    frozen = "param { lr_mult: 0 } param { lr_mult: 0 }"
    net = net_of(OLD % {"conv": frozen, "name": "fc8_mine", "count": 2})
    report = copy_weights(net, tmp_path / "old")
    caplog.clear()

    with caplog.at_level("INFO", logger="caffepy"):
        log_start(net, ["old"], [report])

    assert caplog.messages == [
        "Weights to start from:\n"
        "  layer     blobs       lr_mult  from\n"
        "  conv      6x3x2x2, 6  frozen   old\n"
        "  fc8_mine  2x72        1        its fillers: no file has a layer of this name with blobs",
        "Layers of old that the net does not have: fc8",
        "Weights from fillers, since no file has them: fc8_mine",
    ]


def test_without_files_there_is_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    log_start(net_of(OLD % {"conv": "", "name": "fc8", "count": 7}), [], [])
    assert caplog.messages == []
