from collections.abc import Callable, Iterator

import pytest
import torch

import caffepy.pycaffe as caffe
from caffepy.errors import CaffeError
from caffepy.pycaffe import mode


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    caffe.set_mode_cpu()
    caffe.set_device(0)
    caffe.set_random_seed(0)
    caffe.set_solver_rank(0)
    caffe.set_solver_count(1)


def test_nets_run_on_the_cpu_unless_a_gpu_is_asked_for() -> None:
    assert mode.device() == torch.device("cpu")

    caffe.set_device(1)
    assert mode.device() == torch.device("cpu")

    caffe.set_mode_gpu()
    caffe.set_device(torch.cuda.device_count())
    with pytest.raises(CaffeError, match=r"CUDA devices; caffe.set_mode_cpu\(\) runs nets without"):
        mode.device()

    caffe.set_mode_cpu()
    assert mode.device() == torch.device("cpu")


def test_a_seed_fixes_what_is_drawn() -> None:
    caffe.set_random_seed(7)
    first = torch.rand(3)
    caffe.set_random_seed(7)

    assert torch.equal(torch.rand(3), first)
    assert mode.seed() == 7


def test_solvers_are_counted_and_numbered() -> None:
    assert (caffe.solver_count(), caffe.solver_rank()) == (1, 0)

    caffe.set_solver_count(4)
    caffe.set_solver_rank(3)
    caffe.set_multiprocess(True)

    assert (caffe.solver_count(), caffe.solver_rank()) == (4, 3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [(caffe.set_solver_count, 0), (caffe.set_solver_rank, -1), (caffe.set_device, -1)],
    ids=["count", "rank", "device"],
)
def test_numbers_that_cannot_be_are_refused(setting: Callable[[int], None], value: int) -> None:
    with pytest.raises(ValueError, match=f"or more; {value} is given"):
        setting(value)
