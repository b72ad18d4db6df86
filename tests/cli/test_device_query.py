import os
import re

import pytest
import torch

from caffepy.cli.device_query import cpu_name, cpu_rows, show
from caffepy.cli.main import main

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def rows(err: str) -> dict[str, str]:
    """The properties that were logged, by their names."""
    return dict(re.findall(r"\] ([\w ]+): +(.*)$", err, re.MULTILINE))


@without_cuda
def test_without_cuda_it_says_so_and_lists_the_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device_query"]) == 0

    err = capsys.readouterr().err
    assert f"No CUDA device is visible to PyTorch {torch.__version__}" in err
    assert rows(err)["Name"] == cpu_name()
    assert rows(err)["Cores"] == str(os.cpu_count())
    assert rows(err)["Threads used by PyTorch"] == str(torch.get_num_threads())


@pytest.mark.parametrize("ids", ["97", "0,97", "x"])
def test_a_device_that_is_not_there_is_an_error(
    capsys: pytest.CaptureFixture[str], ids: str
) -> None:
    assert main(["device_query", "-gpu", ids]) == 1

    assert f"caffepy: error: --gpu {ids}: " in capsys.readouterr().err


@without_cuda
def test_all_of_none_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["device_query", "-gpu", "all"]) == 1

    assert "sees no CUDA device here" in capsys.readouterr().err


def test_the_cpu_has_a_name() -> None:
    assert cpu_name()
    assert cpu_rows()["Name"] == cpu_name()


def test_values_stand_below_each_other(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="caffepy"):
        show({"Name": "GK210", "Total shared memory per block": 49152})

    assert caplog.messages == [
        "Name:                          GK210",
        "Total shared memory per block: 49152",
    ]


@pytest.mark.gpu
@pytest.mark.parametrize("flags", [[], ["-gpu", "0"], ["-gpu", "all"]], ids=str)
def test_cuda_devices(capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    assert main(["device_query", *flags]) == 0

    err = capsys.readouterr().err
    assert "Querying GPUs 0" in err
    assert f"{'Name:':31}{torch.cuda.get_device_name(0)}" in err
    assert f"{'Device id:':31}0" in err
