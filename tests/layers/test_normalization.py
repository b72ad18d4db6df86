import pytest
import torch
from google.protobuf import text_format

from caffepy.layers.normalization import normalization_of, normalizer
from caffepy.proto import LossParameter


@pytest.mark.parametrize(
    ("prototxt", "mode"),
    [
        pytest.param("", "VALID", id="default"),
        pytest.param("normalization: FULL", "FULL", id="normalization"),
        pytest.param("normalize: true", "VALID", id="normalize"),
        pytest.param("normalize: false", "BATCH_SIZE", id="do not normalize"),
        pytest.param("normalize: false normalization: NONE", "NONE", id="both"),
    ],
)
def test_normalize_counts_where_normalization_is_not_given(prototxt: str, mode: str) -> None:
    loss = text_format.Parse(prototxt, LossParameter())

    assert LossParameter.NormalizationMode.Name(normalization_of(loss)) == mode


@pytest.mark.parametrize(
    ("mode", "axis", "divisor"),
    [
        pytest.param(LossParameter.VALID, 1, 17, id="VALID"),
        pytest.param(LossParameter.FULL, 1, 24, id="FULL"),
        pytest.param(LossParameter.BATCH_SIZE, 1, 2, id="BATCH_SIZE"),
        pytest.param(LossParameter.BATCH_SIZE, 2, 6, id="BATCH_SIZE of two axes"),
        pytest.param(LossParameter.NONE, 1, 1, id="NONE"),
    ],
)
def test_the_divisor_counts_places(
    mode: LossParameter.NormalizationMode, axis: int, divisor: int
) -> None:
    ignored = torch.zeros(2, 3, 4, dtype=torch.bool)
    ignored[0, :, 1:3] = ignored[1, 2, 3] = True

    assert normalizer(mode, (2, 3, 4), ignored, axis) == divisor


@pytest.mark.parametrize("mode", LossParameter.NormalizationMode.values())
def test_the_divisor_is_never_0(mode: LossParameter.NormalizationMode) -> None:
    assert normalizer(mode, (1, 1), torch.ones(1, 1, dtype=torch.bool), axis=1) == 1
    assert normalizer(mode, (0, 3), None, axis=1) == 1


def test_where_none_is_ignored_all_are_valid() -> None:
    assert normalizer(LossParameter.VALID, (2, 3, 4), None, axis=1) == 24
