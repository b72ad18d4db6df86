from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffepy.errors import DataError, LayerError
from caffepy.graph.load import make_graph
from caffepy.layers.layer import Shape
from caffepy.net.build import build_net
from caffepy.net.stepwise import build_stepwise
from caffepy.proto import TEST, TRAIN, NetParameter, NetState, Phase
from caffepy.proto.position import Position
from tests.layers.conformance import make_layer, random_bottoms

LAYER = 'name: "out" type: "HDF5Output" hdf5_output_param { file_name: "%s" }'
NET = """
layer { name: "in" type: "Input" top: "x" top: "label"
        input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "out" type: "HDF5Output" bottom: "ip" bottom: "label"
        hdf5_output_param { file_name: "out.h5" } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def read(path: Path | str) -> dict[str, Tensor]:
    with h5py.File(path) as file:
        return {name: torch.from_numpy(file[name][:]) for name in file}


def test_rows_of_all_passes_are_in_the_file(tmp_path: Path) -> None:
    data, label = random_bottoms((5, 3, 4, 6), (5, 2))
    layer = make_layer(LAYER % (tmp_path / "out.h5"), (5, 3, 4, 6), (5, 2))

    for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
        assert layer(data[part], label[part]) is None

    written = read(tmp_path / "out.h5")
    assert set(written) == {"data", "label"}
    assert torch.equal(written["data"], data.float())
    assert torch.equal(written["label"], label.float()[:, :, None, None])


@pytest.mark.parametrize(
    ("shape", "written"),
    [((), (1, 1, 1, 1)), ((2,), (2, 1, 1, 1)), ((2, 3, 4), (2, 3, 4, 1)), ((2, 1, 3, 1, 4),) * 2],
    ids=["a number", "1 axis", "3 axes", "5 axes"],
)
def test_datasets_have_four_axes_at_least(tmp_path: Path, shape: Shape, written: Shape) -> None:
    layer = make_layer(LAYER % (tmp_path / "out.h5"), shape, shape)

    layer(torch.zeros(shape), torch.zeros(shape))

    assert {dataset.shape for dataset in read(tmp_path / "out.h5").values()} == {written}


def test_shapes_are_told_without_writing(tmp_path: Path) -> None:
    layer = make_layer(LAYER % (tmp_path / "out.h5"), (2, 3), (2,))

    assert layer.top_shapes((2, 3), (2,)) == []
    assert not list(tmp_path.iterdir())


def test_bfloat16_and_channels_last_are_written_as_float32_in_order(tmp_path: Path) -> None:
    (x,) = random_bottoms((2, 3, 4, 5))
    half = x.detach().bfloat16().contiguous(memory_format=torch.channels_last)

    make_layer(LAYER % (tmp_path / "out.h5"), (2, 3, 4, 5), (2,))(half, torch.zeros(2))

    assert torch.equal(read(tmp_path / "out.h5")["data"], half.float())


@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
@pytest.mark.parametrize("force", ["", "force_backward: true"], ids=["", "forced"])
def test_a_net_writes_once_a_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase, force: str
) -> None:
    monkeypatch.chdir(tmp_path)
    param = text_format.Parse(NET + force, NetParameter())
    graph = make_graph(param, Position("net.prototxt"), NetState(phase=phase))
    net = build_net(graph)
    assert not Path("out.h5").exists()

    net.forward_backward()
    net.evaluate()

    written = read("out.h5")
    assert (written["data"].shape, written["label"].shape) == ((4, 4, 1, 1), (4, 1, 1, 1))

    tops = {"x": torch.full((2, 3), float("nan")), "label": torch.zeros(2)}
    assert net.first_non_finite(tops) == ("in", "x")
    assert len(read("out.h5")["data"]) == 4


@pytest.mark.parametrize("force", ["", "force_backward: true"], ids=["", "forced"])
def test_a_net_run_layer_by_layer_writes_forwards_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: str
) -> None:
    monkeypatch.chdir(tmp_path)
    param = text_format.Parse(NET + force, NetParameter())
    net = build_stepwise(make_graph(param, Position("net.prototxt"), NetState(phase=TEST)))
    net.storage["x"].data[...] = np.arange(6).reshape(2, 3)

    for _ in range(2):
        net.run()
        net.run_back()
    sink = net.layer_names.index("out")
    for name in net.steps[sink].bottoms:
        net.storage[name].reshape(1, *net.storage[name].shape[1:])
    net.run_back(sink, sink)

    ip = net.layers[net.layer_names.index("ip")]
    scores = ip(torch.arange(6.0).reshape(2, 3))[:, :, None, None]
    assert torch.equal(read("out.h5")["data"], torch.cat([scores, scores]))


def test_rows_of_another_shape_are_refused(tmp_path: Path) -> None:
    layer = make_layer(LAYER % (tmp_path / "out.h5"), (2, 3), (2,))
    layer(torch.zeros(2, 3), torch.zeros(2))

    with pytest.raises(DataError, match=r"out\.h5: dataset 'data' has rows of shape \(3, 1, 1\)"):
        layer(torch.zeros(2, 5), torch.zeros(2))


def test_other_numbers_of_rows_are_refused_when_it_is_built_and_run(tmp_path: Path) -> None:
    layer = make_layer(LAYER % (tmp_path / "out.h5"), (2, 3), (2,))
    text = r"'out' \(HDF5Output\): 2 rows of data and 3 of labels"

    with pytest.raises(LayerError, match=text):
        layer.top_shapes((2, 3), (3,))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 3), torch.zeros(3))
    assert not list(tmp_path.iterdir())


def test_a_file_name_is_required() -> None:
    with pytest.raises(LayerError, match=r"'out' \(HDF5Output\): file_name is missing") as caught:
        make_layer('name: "out" type: "HDF5Output"', (2, 3), (2,))
    assert caught.value.field == "hdf5_output_param.file_name"


def test_a_missing_folder_is_found_out_when_it_is_built(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder"):
        make_layer(LAYER % (tmp_path / "none" / "out.h5"), (2, 3), (2,))
