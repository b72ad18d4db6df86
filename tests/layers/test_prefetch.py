from pathlib import Path

import pytest
import torch
from google.protobuf import text_format

from caffepy.errors import LayerError
from caffepy.layers import image_data as image_data
from caffepy.layers.layer import Source, build_source
from caffepy.layers.prefetch import prefetch_depth
from caffepy.proto import LayerParameter
from tests.data.databases import ramp, write_list


@pytest.mark.parametrize(("field", "depth"), [("", 4), ("data_param { prefetch: 2 }", 2)])
def test_depth_is_data_params_for_every_layer(tmp_path: Path, field: str, depth: int) -> None:
    source, folder = write_list(tmp_path, [ramp(2, 3)])
    prototxt = f'type: "ImageData" {field} image_data_param {{ source: "{source}"'
    prototxt += f' root_folder: "{folder}" }}'
    param = text_format.Parse(prototxt, LayerParameter())

    assert prefetch_depth(build_source(param, Source(True, torch.device("cpu"), 0))) == depth


def test_none_is_refused() -> None:
    prototxt = 'name: "in" type: "ImageData" data_param { prefetch: 0 }'
    prototxt += 'image_data_param { source: "none" }'
    param = text_format.Parse(prototxt, LayerParameter())

    with pytest.raises(LayerError, match=r"'in' \(ImageData\): prefetch must be 1") as caught:
        build_source(param, Source(True, torch.device("cpu"), 0))
    assert caught.value.field == "data_param.prefetch"
