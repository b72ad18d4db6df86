"""Lighting: every pixel of an image moved along the main directions in which colours vary."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.data.chance import LIGHT, normals
from caffepy.data.crop import refused
from caffepy.data.pca import read_pca
from caffepy.proto import TransformationParameter


class Lighting:
    """What is added to the blue, green and red of each image: sum of a_i sqrt(v_i) e_i.

    e_i, v_i: the three components of lighting_file and the variances along them. a_i: drawn for
    each image, normal, of standard deviation lighting_std. LayerError for a negative or infinite
    one, or where one of the two fields is there alone; DataError for a file that is none.

    Source: Krizhevsky et al., ImageNet Classification with Deep CNNs (2012), section 4.1, where a
    is multiplied by v. Of pixels from 0 to 255 that would be thousands; its root is in their unit.
    """

    def __init__(self, param: TransformationParameter, owner: str) -> None:
        for field, other in (("lighting_std", "lighting_file"), ("lighting_file", "lighting_std")):
            if not param.HasField(other):
                raise refused(owner, f"{field} is set, {other} is not; give both", field)
        if not 0 <= param.lighting_std < np.inf:
            text = f"lighting_std is {param.lighting_std:g}; 0 or more is allowed"
            raise refused(owner, text, "lighting_std")
        pca = read_pca(param.lighting_file)
        self._steps: NDArray[np.float64] = (
            param.lighting_std * np.sqrt(pca.values)[:, None] * pca.vectors
        )

    def draw(self, seed: int, numbers: NDArray[np.uint64]) -> Tensor:
        """(N, 3): what is added to the images of these numbers."""
        return torch.from_numpy((normals(seed, LIGHT, numbers, 3) @ self._steps).astype(np.float32))
