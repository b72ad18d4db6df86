"""Windows in words."""

import pytest

from caffepy.graph.window import window_size
from caffepy.proto import ConvolutionParameter, PoolingParameter


@pytest.mark.parametrize(
    ("param", "words"),
    [
        pytest.param(PoolingParameter(kernel_size=3, stride=2), ["3", "2", "0"], id="pooling"),
        pytest.param(ConvolutionParameter(kernel_size=[5]), ["5", "1", "0"], id="convolution"),
        pytest.param(
            ConvolutionParameter(kernel_size=[3, 3], stride=[1, 2]), ["3", "1x2", "0"], id="lists"
        ),
        pytest.param(
            PoolingParameter(kernel_h=3, kernel_w=5, pad_h=1, pad_w=2),
            ["3x5", "1", "1x2"],
            id="by axis",
        ),
    ],
)
def test_sizes(param: ConvolutionParameter | PoolingParameter, words: list[str]) -> None:
    assert [window_size(param, what) for what in ("kernel", "stride", "pad")] == words
