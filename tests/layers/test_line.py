import pytest
import torch

from caffepy.layers.line import line


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (2.5, 0), (1, -3), (-0.5, 4), (0, 2)])
def test_each_number_is_scaled_and_shifted(scale: float, shift: float) -> None:
    x = torch.randn(2, 3, dtype=torch.double, requires_grad=True)

    y = line(x, scale, shift)

    torch.testing.assert_close(y, shift + scale * x)
    assert torch.autograd.gradcheck(lambda x: line(x, scale, shift), x)


def test_nothing_is_computed_where_nothing_changes() -> None:
    x = torch.randn(2, 3)

    assert line(x, 1, 0) is x
