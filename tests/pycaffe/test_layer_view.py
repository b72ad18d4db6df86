import pytest
import torch

from caffepy.blob import ParameterBlob
from caffepy.layers.layer import build
from caffepy.proto import InnerProductParameter, LayerParameter
from caffepy.pycaffe.layer_view import LayerView, check_span, seen


def test_a_layer_shows_its_type_its_blobs_and_its_message() -> None:
    param = LayerParameter(
        name="ip",
        type="InnerProduct",
        bottom=["x"],
        inner_product_param=InnerProductParameter(num_output=2),
    )
    blobs = [ParameterBlob(torch.nn.Parameter(torch.zeros(2, 3)), (2, 3))]

    view = seen(build(param, (4, 3)), blobs)

    assert isinstance(view, LayerView)
    assert (view.type, view.blobs) == ("InnerProduct", blobs)
    assert view.layer_param.inner_product_param.num_output == 2


@pytest.mark.parametrize(("least", "most"), [(-1, 2), (0, 3), (7, 7)])
def test_numbers_that_no_layer_has(least: int, most: int) -> None:
    with pytest.raises(IndexError, match=f"no layers {least} to {most}: the net's are 0 to 2"):
        check_span([10, 11, 12], least, most)


def test_numbers_of_layers() -> None:
    check_span([10, 11, 12], 0, 2)
    check_span([], 0, -1)  # all layers of a net without any
