import numpy as np
import pytest
import torch

from caffepy.solver.rules.sgd import sgd


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("rates", [(0.1, 0.1, 0.01), (1e-7, 1e-7, 1e-8), (3.0, 2.0, 1.0)])
def test_rate_is_inside_the_velocity(momentum: float, rates: tuple[float, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    params = [torch.randn(shape, generator=generator) for shape in ((2, 3, 4), (5,))]
    history = [torch.zeros_like(param) for param in params]
    expected = [param.double().numpy() for param in params]
    velocity = [np.zeros_like(w) for w in expected]

    for rate in rates:
        gradients = [torch.randn(param.shape, generator=generator) for param in params]
        sgd(params, gradients, history, rate=rate, decay=0.02, momentum=momentum)
        for i, g in enumerate(gradients):
            velocity[i] = momentum * velocity[i] + rate * (g.double().numpy() + 0.02 * expected[i])
            expected[i] = expected[i] - velocity[i]

    for got, want in zip(params, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    for got, want in zip(history, velocity, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6 * rates[0])
