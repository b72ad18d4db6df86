from pathlib import Path

import pytest

from caffepy.cli.main import main
from tests.cli.logs import GOLDEN, write_log


def test_a_line_for_each_that_names_an_iteration(tmp_path: Path) -> None:
    assert main(["extract_seconds", str(GOLDEN), str(tmp_path / "seconds")]) == 0

    seconds = (tmp_path / "seconds").read_text().split()
    assert seconds == [
        *("0.000018", "0.000172", "0.000196", "0.000219", "0.000229"),  # 0 twice and lr, 2 and lr
        *("0.000239", "0.000275", "0.000285", "0.000522", "0.000532"),  # 4 twice and lr, 6 and lr
        *("0.000540", "0.000577", "0.000587", "0.000646"),  # 8 twice and lr, 10
    ]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        pytest.param("Solving x", "seconds", "no line says `Iteration N`", id="no iteration"),
        pytest.param("Iteration 3", "none/seconds", "cannot be written: No such", id="no folder"),
    ],
)
def test_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, target: str, message: str
) -> None:
    log = write_log(tmp_path / "log", text)

    assert main(["extract_seconds", str(log), str(tmp_path / target)]) == 1

    assert message in capsys.readouterr().err
