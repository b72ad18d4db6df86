from collections.abc import Iterator

import pytest
import torch

import caffepy.pycaffe as caffe
from caffepy.pycaffe import mode


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    caffe.set_mode_cpu()
    caffe.set_device(0)
    caffe.set_random_seed(0)


def test_nets_run_on_the_cpu_unless_a_gpu_is_asked_for() -> None:
    assert mode.device() == torch.device("cpu")

    caffe.set_device(1)
    assert mode.device() == torch.device("cpu")

    caffe.set_mode_gpu()
    assert mode.device() == torch.device("cuda", 1)

    caffe.set_mode_cpu()
    assert mode.device() == torch.device("cpu")


def test_a_seed_fixes_what_is_drawn() -> None:
    caffe.set_random_seed(7)
    first = torch.rand(3)
    caffe.set_random_seed(7)

    assert torch.equal(torch.rand(3), first)
    assert mode.seed() == 7
