import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.data.chance import BOX, COLOUR, LIGHT, normals, random_bits, uniforms


def test_random_bits_are_those_of_splitmix64() -> None:
    def one(z: int) -> int:
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    bits = random_bits(-3, np.array([0, 5, 2**40], np.uint64))

    assert bits.tolist() == [
        one((one(2**64 - 3) + number * 0x9E3779B97F4A7C15) % 2**64) for number in (0, 5, 2**40)
    ]


def numbers(*values: int) -> NDArray[np.uint64]:
    return np.array(values, np.uint64)


ALL = np.arange(20_000, dtype=np.uint64)


def test_uniforms_are_even_from_0_to_1() -> None:
    found = uniforms(3, BOX, ALL, 3)

    assert found.shape == (20_000, 3)
    assert 0 <= found.min() < 0.001
    assert 0.999 < found.max() < 1
    counts = np.array([np.histogram(column, 10, (0, 1))[0] for column in found.T])
    assert np.abs(counts - 2000).max() < 4 * np.sqrt(2000 * 0.9)
    assert np.abs(np.corrcoef(found.T) - np.eye(3)).max() < 4 / np.sqrt(20_000)


def test_normals_have_mean_0_and_variance_1() -> None:
    found = normals(3, LIGHT, ALL, 3)

    assert found.shape == (20_000, 3)
    assert np.abs(found.mean(axis=0)).max() < 4 / np.sqrt(20_000)
    assert np.abs(np.cov(found.T) - np.eye(3)).max() < 4 * np.sqrt(2 / 20_000)
    assert (np.abs(found) < 1).mean() == pytest.approx(0.6827, abs=0.01)
    assert (np.abs(found) < 2).mean() == pytest.approx(0.9545, abs=0.01)


def test_a_number_depends_on_seed_purpose_and_record_alone() -> None:
    whole = uniforms(7, BOX, numbers(4, 5, 6), 2)

    np.testing.assert_array_equal(uniforms(7, BOX, numbers(6, 5), 2), whole[[2, 1]])
    for other in (uniforms(8, BOX, numbers(4, 5, 6), 2), uniforms(7, COLOUR, numbers(4, 5, 6), 2)):
        assert not np.isin(other, whole).any()
