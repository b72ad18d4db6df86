from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format

import caffepy.layers  # noqa: F401  (registers every type)
from caffepy.errors import LayerError
from caffepy.layers.layer import Source, SourceLayer, build_source
from caffepy.proto import LayerParameter

CPU = Source(training=True, device=torch.device("cpu"), seed=3)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A list of two files, of 3 and 4 rows: data (2, 5), all of a row its number; label (1,)."""
    for name, rows in (("a", range(3)), ("b", range(3, 7))):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["data"] = np.array(rows)[:, None, None] * np.ones((2, 5))
            file["label"] = np.array(rows)[:, None] * 10
    path = tmp_path / "train.txt"
    path.write_text(f"{tmp_path / 'a.h5'}\n{tmp_path / 'b.h5'}\n")
    return path


def make_data(options: str, source: Source = CPU, more: str = "") -> SourceLayer:
    prototxt = f'name: "in" type: "HDF5Data" top: "data" top: "label" {more}'
    prototxt += f"hdf5_data_param {{ {options} }}"
    return build_source(text_format.Parse(prototxt, LayerParameter()), source)


def labels(layer: SourceLayer, batches: int) -> list[float]:
    return [label for _ in range(batches) for label in layer.read()[1].flatten().tolist()]


def test_tops_are_batches_of_the_datasets_they_are_named_after(source: Path) -> None:
    layer = make_data(f'source: "{source}" batch_size: 4')

    assert layer.top_shapes() == [(4, 2, 5), (4, 1)]
    assert layer.position == 0
    for rows in ([0, 1, 2, 3], [4, 5, 6, 0]):
        data, label = layer.read()
        assert torch.equal(data, torch.tensor(rows)[:, None, None].expand(4, 2, 5).float())
        assert label.tolist() == [[10.0 * row] for row in rows]
    assert layer.position == 8


@pytest.mark.parametrize("shuffle", ["false", "true"])
def test_a_run_goes_on_at_its_position(source: Path, shuffle: str) -> None:
    options = f'source: "{source}" batch_size: 3 shuffle: {shuffle}'
    whole = labels(make_data(options), 9)
    position = Source(training=True, device=CPU.device, seed=CPU.seed, position=12)

    resumed = make_data(options, position)

    assert resumed.position == 12
    assert labels(resumed, 5) == whole[12:]
    assert resumed.position == 27


def test_shuffled_rows_are_drawn_from_the_seed(source: Path) -> None:
    options = f'source: "{source}" batch_size: 7 shuffle: true'
    other = Source(training=True, device=CPU.device, seed=4)
    epochs = labels(make_data(options), 3)

    assert sorted(epochs[:7]) == [0, 10, 20, 30, 40, 50, 60]
    assert labels(make_data(options), 3) == epochs
    assert labels(make_data(options, other), 3) != epochs


@pytest.mark.parametrize("shuffle", ["false", "true"])
def test_rows_are_dealt_to_processes_in_turn(source: Path, shuffle: str) -> None:
    options = f'source: "{source}" batch_size: 4 shuffle: {shuffle}'
    whole = labels(make_data(options), 6)

    for rank in range(3):
        layer = make_data(options, replace(CPU, rank=rank, world=3))
        assert labels(layer, 2) == whole[rank::3]
        assert layer.position == 24


def test_in_testing_each_process_reads_all_rows(source: Path) -> None:
    layer = make_data(
        f'source: "{source}" batch_size: 4', replace(CPU, training=False, rank=1, world=3)
    )

    assert labels(layer, 2) == [0, 10, 20, 30, 40, 50, 60, 0]
    assert layer.position == 8


def test_a_run_goes_on_with_another_number_of_processes(source: Path) -> None:
    options = f'source: "{source}" batch_size: 2'
    of_two = make_data(options, replace(CPU, rank=0, world=2))
    of_two.read()

    alone = of_two.moved(of_two.position or 0, CPU.seed)
    alone = make_data(options, replace(alone.source, world=1))

    assert labels(alone, 1) == [40, 50]


def test_the_tops_are_on_the_device_of_the_net(source: Path) -> None:
    meta = Source(training=True, device=torch.device("meta"), seed=0)
    layer = make_data(f'source: "{source}" batch_size: 2', meta)

    assert {top.device.type for top in layer.read()} == {"meta"}


@pytest.mark.parametrize(
    ("options", "more", "text", "field"),
    [
        ("batch_size: 2", "", "source", "hdf5_data_param.source"),
        ('source: "x"', "", "batch_size must be 1 or more", "hdf5_data_param.batch_size"),
        (
            'source: "x" batch_size: 0',
            "",
            "batch_size must be 1 or more",
            "hdf5_data_param.batch_size",
        ),
        (
            'source: "x" batch_size: 2',
            "transform_param { scale: 0.5 }",
            "not transformed",
            "transform_param",
        ),
    ],
    ids=["no source", "no batch_size", "batch_size 0", "transform_param"],
)
def test_what_it_cannot_do_is_refused(options: str, more: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=rf"layer 'in' \(HDF5Data\): .*{text}") as caught:
        make_data(options, more=more)

    assert caught.value.field == field
