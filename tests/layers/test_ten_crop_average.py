import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms


@pytest.mark.parametrize(
    ("scores", "top"), [((20, 3), (2, 3)), ((10, 3, 2, 1), (1, 3, 2, 1))], ids=["vectors", "maps"]
)
def test_shapes_and_gradients(scores: Shape, top: Shape) -> None:
    layer = make_layer('type: "TenCropAverage"', scores)

    check_layer(layer, random_bottoms(scores), tops=[top])


def test_top_is_the_logarithm_of_the_mean_probability() -> None:
    (scores,) = random_bottoms((20, 3))
    layer = make_layer('type: "TenCropAverage"', (20, 3))

    numbers = scores.detach().numpy()
    for image in range(2):
        mean = np.zeros(3)
        for crop in range(10 * image, 10 * image + 10):
            mean += np.exp(numbers[crop]) / np.exp(numbers[crop]).sum() / 10
        np.testing.assert_allclose(layer(scores)[image].detach(), np.log(mean))


def test_a_class_ruled_out_by_one_crop_is_not_lost() -> None:
    scores = torch.zeros(10, 2)
    scores[0, 0] = -np.inf

    top = make_layer('type: "TenCropAverage"', (10, 2))(scores)

    np.testing.assert_allclose(top.exp(), [[0.45, 0.55]], rtol=1e-6)


@pytest.mark.parametrize("shape", [(12, 3), (10,)], ids=["not ten each", "no classes"])
def test_refuses_other_shapes(shape: Shape) -> None:
    with pytest.raises(LayerError, match=r"scores of shape .*; 10 for each image are needed"):
        make_layer('type: "TenCropAverage"', shape)
