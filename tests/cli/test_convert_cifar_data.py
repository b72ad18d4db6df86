from pathlib import Path

import pytest

from caffepy.cli.main import main
from caffepy.data.cifar import RECORD, RECORDS, TEST, TRAIN
from caffepy.data.lmdb import LMDB


def write_batches(folder: Path) -> None:
    """Black images of class 0."""
    for name in [*TRAIN, *TEST]:
        with (folder / name).open("wb") as file:
            file.truncate(RECORDS * RECORD)


def test_writes_both_databases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_batches(tmp_path)

    assert main(["convert_cifar_data", ".", ".", "lmdb"]) == 0

    assert [len(LMDB(f"cifar10_{part}_lmdb")) for part in ("train", "test")] == [50_000, 10_000]
    bodies = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert bodies == [
        "Writing Training data",
        *(f"Training Batch {number}" for number in range(1, 6)),
        "Writing Testing data",
    ]


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        pytest.param([".", ".", "mdb"], 2, "invalid choice: 'mdb'", id="kind"),
        pytest.param([".", "."], 2, "the following arguments are required: DB_TYPE", id="words"),
        pytest.param(["none", ".", "lmdb"], 1, "none/data_batch_1.bin: No such file", id="folder"),
    ],
)
def test_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["convert_cifar_data", *argv]) == code

    assert message in capsys.readouterr().err
