import pytest
import torch

from caffepy.solver.gradients import add_l1, clip, normalise


def test_clip_scales_all_gradients_by_their_common_norm() -> None:
    gradients = [torch.tensor([[1.0, 2.0]]), torch.tensor([-2.0, 4.0, 12.0])]  # norm 13

    clipped = clip(gradients, 6.5)

    assert clipped == pytest.approx((13.0, 0.5))
    torch.testing.assert_close(gradients[0], torch.tensor([[0.5, 1.0]]))
    torch.testing.assert_close(gradients[1], torch.tensor([-1.0, 2.0, 6.0]))


@pytest.mark.parametrize("limit", [5.0, 5.1])
def test_clip_leaves_small_gradients_alone(limit: float) -> None:
    gradients = [torch.tensor([3.0, 4.0])]
    assert clip(gradients, limit) is None
    assert gradients[0].tolist() == [3.0, 4.0]


def test_normalise_makes_means_of_sums() -> None:
    gradients = [torch.tensor([3.0, 6.0]), torch.tensor([[9.0]])]
    normalise(gradients, 3)
    assert [gradient.tolist() for gradient in gradients] == [[1.0, 2.0], [[3.0]]]


def test_l1_adds_the_sign_of_each_weight() -> None:
    gradients = [torch.tensor([1.0, 1.0, 1.0])]
    add_l1([torch.tensor([-7.0, 0.0, 0.1])], gradients, 0.25)
    assert gradients[0].tolist() == [0.75, 1.0, 1.25]
