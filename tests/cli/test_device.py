"""--gpu, on machines with and without CUDA."""

import pytest
import torch

from caffepy.cli.device import DeviceError, add_gpu, choose_device, find_devices
from caffepy.cli.flags import Parser, UsageError

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def test_no_gpu_is_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="caffepy"):
        device = choose_device([])

    assert device == torch.device("cpu")
    assert "Use CPU." in caplog.messages


def test_flag_is_a_list() -> None:
    parser = Parser("caffepy demo", "")
    add_gpu(parser)

    assert parser.parse(["-gpu", "0,1"]).gpu == ["0", "1"]


@without_cuda
@pytest.mark.parametrize("ids", [["0"], ["0", "1"], ["all"]], ids=str)
def test_without_cuda_it_says_so(ids: list[str]) -> None:
    with pytest.raises(DeviceError, match=r"--gpu .*: PyTorch .* sees no CUDA device here"):
        choose_device(ids)
    with pytest.raises(DeviceError, match="sees no CUDA device here"):
        find_devices(ids)


@pytest.mark.gpu
def test_one_device() -> None:
    assert choose_device(["0"]) == torch.device("cuda", 0)


@pytest.mark.gpu
def test_all_devices() -> None:
    assert find_devices(["all"]) == list(range(torch.cuda.device_count()))


@pytest.mark.gpu
def test_refuses_a_device_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="no device '97'; there are 0"):
        find_devices(["0", "97"])


@pytest.mark.gpu
def test_refuses_several_devices() -> None:
    with pytest.raises(UsageError, match="name one"):
        choose_device(["0", "0"])
