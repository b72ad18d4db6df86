from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.errors import WeightsError
from caffepy.net.nvcaffe import advice, arrange
from caffepy.net.weights import copy_weights
from caffepy.proto import BatchNormParameter, LayerParameter, NetParameter
from caffepy.proto.arrays import to_blob
from caffepy.proto.files import write_binary
from tests.net.nets import net_of

PLAIN = LayerParameter(type="BatchNorm")
NVCAFFES = LayerParameter(type="BatchNorm", batch_norm_param=BatchNormParameter(scale_bias=True))
SCALE, BIAS, MEAN, VARIANCE = [2, 3, 4], [5, 6, 7], [10, 20, 30], [40, 50, 60]
NONE = [1, 1, 1], [0, 0, 0]


def arrays(*blobs: Sequence[float]) -> list[NDArray[np.float32]]:
    return [np.array(blob, np.float32) for blob in blobs]


def lists(blobs: object) -> list[list[float]]:
    assert isinstance(blobs, list)
    return [blob.tolist() for blob in blobs]


@pytest.mark.parametrize(
    ("file", "arranged"),
    [
        pytest.param(
            [MEAN, VARIANCE, [1], SCALE, BIAS], [MEAN, VARIANCE, [1], SCALE, BIAS], id="0.17"
        ),
        pytest.param(
            [SCALE, BIAS, MEAN, VARIANCE, [10]],
            [[1, 2, 3], [4, 5, 6], [1], SCALE, BIAS],
            id="0.15",
        ),
        pytest.param(
            [SCALE, BIAS, MEAN, VARIANCE, [0]],
            [[0, 0, 0], [0, 0, 0], [0], SCALE, BIAS],
            id="0.15, untrained",
        ),
        pytest.param([[8], [4], [1], [3], [7]], [[8], [4], [1], [3], [7]], id="0.17, 1 channel"),
        pytest.param([[0], [0], [0], [3], [7]], [[0], [0], [0], [3], [7]], id="1 channel, new"),
        pytest.param([[3], [7], [8], [4], [2]], [[4], [2], [1], [3], [7]], id="0.15, 1 channel"),
    ],
)
def test_a_layer_with_a_scale_has_averages_first(
    file: list[list[float]], arranged: list[list[float]]
) -> None:
    assert lists(arrange(arrays(*file), NVCAFFES)) == arranged


@pytest.mark.parametrize(
    "file",
    [
        pytest.param([MEAN, VARIANCE, [1], *NONE], id="0.17"),
        pytest.param([*NONE, MEAN, VARIANCE, [1]], id="0.15"),
    ],
)
def test_a_layer_without_a_scale_takes_the_three_if_there_is_nothing_more(
    file: list[list[float]],
) -> None:
    assert lists(arrange(arrays(*file), PLAIN)) == [MEAN, VARIANCE, [1]]


@pytest.mark.parametrize(
    ("file", "layer"),
    [
        pytest.param([MEAN, VARIANCE, [1], SCALE, BIAS], PLAIN, id="a scale and no place for it"),
        pytest.param([MEAN, VARIANCE, [1]], PLAIN, id="Caffe's"),
        pytest.param([MEAN, VARIANCE, [1]], NVCAFFES, id="Caffe's, in NVCaffe's layer"),
        pytest.param([MEAN] * 5, NVCAFFES, id="no factor"),
        pytest.param(
            [SCALE, BIAS, MEAN, VARIANCE, [2]], LayerParameter(type="LSTM"), id="another type"
        ),
    ],
)
def test_all_others_are_left_as_they_are(file: list[list[float]], layer: LayerParameter) -> None:
    blobs = arrays(*file)

    assert arrange(blobs, layer) is blobs


def test_advice_is_for_files_of_nvcaffe() -> None:
    assert "scale_bias: true" in advice(5, PLAIN)
    assert advice(4, PLAIN) == advice(5, LayerParameter(type="LSTM")) == ""


def test_a_net_is_loaded_from_either_order_or_told_why_not(tmp_path: Path) -> None:
    text = """
        layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 3 }} }} }}
        layer {{ name: "bn" type: "BatchNorm" bottom: "data" top: "bn" {} }}
    """
    path = tmp_path / "old.caffemodel"
    blobs = [to_blob(blob) for blob in arrays(SCALE, BIAS, MEAN, VARIANCE, [10])]
    write_binary(path, NetParameter(layer=[LayerParameter(name="bn", blobs=blobs)]))
    net = net_of(text.format("batch_norm_param { scale_bias: true }"))

    assert copy_weights(net, path).copied == ("bn",)

    assert [blob.tolist() for blob in net.blobs_of(1)] == [[1, 2, 3], [4, 5, 6], [1], SCALE, BIAS]
    with pytest.raises(WeightsError, match=r"layer bn: 5 in the file, 3 in the net.*scale_bias"):
        copy_weights(net_of(text.format("")), path)
