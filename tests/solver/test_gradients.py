import pytest
import torch

from caffepy.solver import gradients as module
from caffepy.solver.gradients import add_l1, scale_down


def test_clipping_scales_all_gradients_by_their_common_norm() -> None:
    gradients = [torch.tensor([[1.0, 2.0]]), torch.tensor([-2.0, 4.0, 12.0])]  # norm 13

    clipped = scale_down(gradients, 6.5, 1)

    assert clipped == pytest.approx((13.0, 0.5))
    torch.testing.assert_close(gradients[0], torch.tensor([[0.5, 1.0]]))
    torch.testing.assert_close(gradients[1], torch.tensor([-1.0, 2.0, 6.0]))


@pytest.mark.parametrize("limit", [5.0, 5.1, -1.0])
def test_small_gradients_are_left_alone(limit: float) -> None:
    gradients = [torch.tensor([3.0, 4.0])]
    assert scale_down(gradients, limit, 1) is None
    assert gradients[0].tolist() == [3.0, 4.0]


def test_sums_become_means() -> None:
    gradients = [torch.tensor([3.0, 6.0]), torch.tensor([[9.0]])]
    assert scale_down(gradients, -1, 3) is None
    assert [gradient.tolist() for gradient in gradients] == [[1.0, 2.0], [[3.0]]]


def test_it_is_the_sum_that_is_clipped() -> None:
    gradients = [torch.tensor([3.0, 4.0])]
    assert scale_down(gradients, 2.5, 4) == (5.0, 0.5)
    assert gradients[0].tolist() == [0.375, 0.5]


@pytest.mark.parametrize("chunk", [module.CHUNK, 2], ids=["whole", "in pieces"])
def test_l1_adds_the_sign_of_each_weight(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    gradients = [torch.tensor([[1.0, 1.0, 1.0]])]
    add_l1([torch.tensor([[-7.0, 0.0, 0.1]])], gradients, 0.25)
    assert gradients[0].tolist() == [[0.75, 1.0, 1.25]]
