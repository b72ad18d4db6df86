import pytest

from caffepy.proto import caffe_pb2
from caffepy.proto.hints import unknown_field

MESSAGES = caffe_pb2.DESCRIPTOR.message_types_by_name


@pytest.mark.parametrize(
    ("message", "field", "hint"),
    [
        pytest.param("LayerParameter", "botom", "; did you mean 'bottom'?", id="misspelt"),
        pytest.param(
            "LayerParameter",
            "kernel_size",
            "; it belongs inside convolution_param or pooling_param",
            id="beside its message",
        ),
        pytest.param("LayerParameter", "lr_mult", "; it belongs inside param", id="of a blob"),
        pytest.param(
            "LayerParameter",
            "blobs_lr",
            "; only the old `layers` has it, in `layer` it is param { lr_mult: ... }",
            id="old format",
        ),
        pytest.param(
            "SolverParameter",
            "layer",
            "; NetParameter has: is this the file of a net?",
            id="a net for a solver",
        ),
        pytest.param(
            "NetParameter",
            "base_lr",
            "; SolverParameter has: is this the file of a solver?",
            id="a solver for a net",
        ),
        pytest.param("NetParameter", "type", "", id="of a layer that was closed too early"),
        pytest.param("ConvolutionParameter", "zzz", "", id="nothing like it"),
        pytest.param(
            "LayerParameter",
            "trt_param",
            "; NVIDIA's fork of Caffe has it, caffepy does not",
            id="of a fork",
        ),
    ],
)
def test_unknown_field(message: str, field: str, hint: str) -> None:
    assert unknown_field(MESSAGES[message], field) == hint
