"""What is told of the files of weights."""

import pytest

from caffepy.cli.weights import log_copies
from caffepy.net.weights import CopyReport

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
