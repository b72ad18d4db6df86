"""--gpu, on machines with and without CUDA."""

import pytest
import torch

from caffepy.cli.device import add_gpu, choose_device
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
def test_without_cuda_it_says_so() -> None:
    with pytest.raises(UsageError, match=r"--gpu 0: PyTorch .* sees no CUDA device here"):
        choose_device(["0"])


@pytest.mark.gpu
def test_one_device() -> None:
    assert choose_device(["0"]) == torch.device("cuda", 0)


@pytest.mark.gpu
@pytest.mark.parametrize(("ids", "message"), [(["0", "1"], "name one"), (["97"], "no such device")])
def test_refuses(ids: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_device(ids)
