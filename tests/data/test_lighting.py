from pathlib import Path

import numpy as np
import pytest

from caffepy.data.chance import LIGHT, normals
from caffepy.data.lighting import Lighting
from caffepy.data.pca import Pca, write_pca
from caffepy.errors import DataError, LayerError
from caffepy.proto import TransformationParameter

NUMBERS = np.arange(20_000, dtype=np.uint64)
VALUES = np.array([900.0, 100.0, 4.0])
VECTORS = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Components with standard deviations of 30, 10 and 2."""
    write_pca(tmp_path / "pca.txt", Pca(VALUES, VECTORS))
    return str(tmp_path / "pca.txt")


def make(file: str, std: float = 0.1) -> Lighting:
    param = TransformationParameter(lighting_std=std, lighting_file=file)
    return Lighting(param, "layer 'data' (Data)")


def test_adds_each_component_times_its_deviation_and_a_normal_number(file: str) -> None:
    factors = normals(5, LIGHT, NUMBERS[:4], 3)
    expected = np.zeros((4, 3))
    for image in range(4):
        for component, deviation in enumerate([30, 10, 2]):
            for channel in range(3):
                along = VECTORS[component, channel]
                expected[image, channel] += 0.1 * factors[image, component] * deviation * along

    np.testing.assert_allclose(make(file).draw(5, NUMBERS[:4]), expected, rtol=1e-5)


def test_what_is_added_varies_as_the_colours_do_in_small(file: str) -> None:
    added = make(file).draw(1, NUMBERS).numpy().astype(np.float64)

    covariance = 0.1**2 * VECTORS.T @ np.diag(VALUES) @ VECTORS
    assert np.abs(added.mean(axis=0)).max() < 4 * np.sqrt(covariance.max() / 20_000)
    assert np.abs(np.cov(added.T) - covariance).max() < 4 * covariance.max() * np.sqrt(2 / 20_000)


def test_0_adds_nothing(file: str) -> None:
    assert not make(file, 0).draw(1, NUMBERS).any()


def test_depends_on_the_seed_and_the_number_alone(file: str) -> None:
    whole = make(file).draw(1, NUMBERS[:9])

    np.testing.assert_array_equal(make(file).draw(1, NUMBERS[4:6]), whole[4:6])
    assert not np.isin(make(file).draw(2, NUMBERS[:9]), whole).any()


@pytest.mark.parametrize("std", [-0.1, np.inf, np.nan])
def test_refuses_a_deviation_that_is_none(file: str, std: float) -> None:
    with pytest.raises(LayerError, match=f"lighting_std is {std:g}; 0 or more is allow") as caught:
        make(file, std)
    assert caught.value.field == "transform_param.lighting_std"


@pytest.mark.parametrize(
    ("param", "text", "field"),
    [
        ({"lighting_std": 0.1}, "lighting_std is set, lighting_file is not", "lighting_std"),
        ({"lighting_file": "x"}, "lighting_file is set, lighting_std is not", "lighting_file"),
    ],
    ids=["std alone", "file alone"],
)
def test_refuses_one_without_the_other(param: dict[str, float], text: str, field: str) -> None:
    message = TransformationParameter()
    for name, value in param.items():
        setattr(message, name, value)

    with pytest.raises(LayerError, match=f"^layer 'data' .Data.: {text}; give both") as caught:
        Lighting(message, "layer 'data' (Data)")
    assert caught.value.field == f"transform_param.{field}"


def test_refuses_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "mean.txt").write_text("104 117 123")

    with pytest.raises(DataError, match=r"mean\.txt: not a file of compute_image_pca"):
        make(str(tmp_path / "mean.txt"))
    with pytest.raises(DataError, match=r"none\.txt': No such file"):
        make(str(tmp_path / "none.txt"))
