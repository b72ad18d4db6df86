"""Random numbers by the seed of a run and the number of a record, the same in whatever order."""

import numpy as np
from numpy.typing import NDArray

# What is drawn for, each with numbers of its own. Corners and mirroring take the bits as they are.
BOX, LIGHT, COLOUR = 2, 3, 4


def random_bits(seed: int, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64 random bits for each number, equal for equal (seed, number).

    SplitMix64, counter-based. Steele, Lea, Flood: Fast splittable pseudorandom number generators
    (OOPSLA 2014).
    """
    start = mix(np.array([seed % 2**64], np.uint64))
    return mix(start + numbers * np.uint64(0x9E3779B97F4A7C15))


def mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def uniforms(
    seed: int, purpose: int, numbers: NDArray[np.uint64], count: int
) -> NDArray[np.float64]:
    """(N, count): for each of N record numbers, so many from 0 to 1, without 1."""
    key = int(random_bits(seed, np.array([2**64 - purpose], np.uint64))[0])  # no record's number
    places = np.add.outer(numbers * np.uint64(count), np.arange(count, dtype=np.uint64))
    bits: NDArray[np.uint64] = random_bits(key, places) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def normals(
    seed: int, purpose: int, numbers: NDArray[np.uint64], count: int
) -> NDArray[np.float64]:
    """(N, count): for each of N record numbers, so many of mean 0 and variance 1.

    Box and Muller: A note on the generation of random normal deviates (1958).
    """
    radius, angle = np.split(uniforms(seed, purpose, numbers, 2 * count), 2, axis=1)
    result: NDArray[np.float64] = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * np.pi * angle)
    return result
