import itertools
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.data.hdf5 import HDF5Rows, hdf5_bytes, open_hdf5
from caffepy.errors import DataError


def write_file(path: Path, **datasets: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


def write_list(folder: Path, *rows: int) -> str:
    """A list of files with that many rows each; the datum of a row counts them all: 0, 1, 2, ..."""
    first, paths = 0, []
    for number, count in enumerate(rows):
        data = np.arange(first, first + count, dtype=np.float32)
        paths.append(write_file(folder / f"{number}.h5", data=data, label=data[:, None] * 10))
        first += count
    source = folder / "list.txt"
    source.write_text("".join(f"{path}\n" for path in paths))
    return str(source)


def stream(rows: HDF5Rows, count: int, start: int = 0) -> list[float]:
    """The data of that many rows."""
    values: list[float] = rows.batch(start, count)[0].tolist()
    return values


def in_order(source: str) -> HDF5Rows:
    return HDF5Rows(source, ["data", "label"], shuffle=False, seed=0)


def shuffled(source: str, seed: int = 7) -> HDF5Rows:
    return HDF5Rows(source, ["data", "label"], shuffle=True, seed=seed)


def test_batches_run_on_over_files_and_epochs(tmp_path: Path) -> None:
    rows = in_order(write_list(tmp_path, 3, 1, 2))

    assert [stream(rows, 4, start) for start in (0, 4, 8)] == [
        [0, 1, 2, 3],
        [4, 5, 0, 1],
        [2, 3, 4, 5],
    ]


def test_one_batch_may_hold_several_epochs(tmp_path: Path) -> None:
    assert stream(in_order(write_list(tmp_path, 1, 2)), 8) == [0, 1, 2, 0, 1, 2, 0, 1]


def test_a_step_passes_rows_over_across_files(tmp_path: Path) -> None:
    rows = in_order(write_list(tmp_path, 4, 1, 3))

    data, label = rows.batch(1, 7, step=3)

    assert data.tolist() == [1, 4, 7, 2, 5, 0, 3]
    assert label.tolist() == [[10], [40], [70], [20], [50], [0], [30]]


def test_datasets_are_taken_by_name_in_the_order_asked_for(tmp_path: Path) -> None:
    rows = HDF5Rows(write_list(tmp_path, 2), ["label", "data"], shuffle=False, seed=0)

    assert rows.shapes == [(1,), ()]
    assert [part.tolist() for part in rows.batch(0, 2)] == [[[0], [10]], [0, 1]]


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f4", "u1", "i4", "i8"])
def test_every_kind_of_number_becomes_float32(tmp_path: Path, kind: str) -> None:
    images = np.arange(24).reshape(2, 3, 4).astype(kind)
    write_file(tmp_path / "a.h5", data=images)
    (tmp_path / "list.txt").write_text(str(tmp_path / "a.h5"))

    rows = HDF5Rows(str(tmp_path / "list.txt"), ["data"], shuffle=False, seed=0)
    (batch,) = rows.batch(0, 2)

    assert rows.shapes == [(3, 4)]
    assert batch.dtype == torch.float32
    assert torch.equal(batch, torch.arange(24.0).reshape(2, 3, 4))


def test_a_batch_is_the_callers_own(tmp_path: Path) -> None:
    rows = in_order(write_list(tmp_path, 3))

    rows.batch(0, 3)[0].fill_(99)

    assert stream(rows, 3) == [0, 1, 2]


def test_a_batch_holds_no_more_than_its_rows(tmp_path: Path) -> None:
    data, label = in_order(write_list(tmp_path, 1000)).batch(10, 3)

    assert data.untyped_storage().nbytes() == label.untyped_storage().nbytes() == 3 * 4


def test_files_are_found_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    write_file(tmp_path / "deep" / "a b.h5", data=np.array([5.0]))
    (tmp_path / "deep" / "list.txt").write_text("\n  deep/a b.h5  \r\n\n")
    monkeypatch.chdir(tmp_path)

    rows = HDF5Rows("deep/list.txt", ["data"], shuffle=False, seed=0)
    monkeypatch.chdir("/")

    assert stream(rows, 1) == [5]


def test_a_line_may_name_several_files_or_one_whose_name_has_a_space(tmp_path: Path) -> None:
    names = ["a.h5", "b.h5", "c d.h5"]
    paths = [
        str(write_file(tmp_path / name, data=[float(index)])) for index, name in enumerate(names)
    ]
    source = tmp_path / "list.txt"
    source.write_text(f"{paths[0]}  {paths[1]}\n{paths[2]}\n")

    assert stream(HDF5Rows(str(source), ["data"], shuffle=False, seed=0), 3) == [0, 1, 2]


def test_shuffled_epochs_hold_every_row_once_each_in_another_order(tmp_path: Path) -> None:
    rows = shuffled(write_list(tmp_path, 20, 30, 10))

    epochs = [stream(rows, 60, start) for start in (0, 60, 120)]

    assert [sorted(epoch) for epoch in epochs] == [list(range(60))] * 3
    assert all(one != other for one, other in itertools.combinations(epochs, 2))


def file_runs(values: list[float], bounds: NDArray[np.int64]) -> list[int]:
    """The files that the rows come from, in order, without repetitions."""
    files = np.searchsorted(bounds, values, side="right")
    return [int(file) for file, _ in itertools.groupby(files)]


def test_files_and_rows_within_them_are_shuffled_but_not_mixed(tmp_path: Path) -> None:
    rows = shuffled(write_list(tmp_path, 10, 10, 10))
    bounds = np.array([10, 20])

    orders = [file_runs(stream(rows, 30, 30 * epoch), bounds) for epoch in range(12)]

    assert {len(order) for order in orders} == {3}
    assert len({tuple(order) for order in orders}) > 2
    assert stream(rows, 10) != sorted(stream(rows, 10))


def test_the_seed_alone_decides_the_order(tmp_path: Path) -> None:
    source = write_list(tmp_path, 20, 30)

    assert stream(shuffled(source), 120) == stream(shuffled(source), 120)
    assert stream(shuffled(source), 50) != stream(shuffled(source, seed=8), 50)
    assert stream(shuffled(source, seed=-1), 50) != stream(shuffled(source), 50)


def test_any_row_is_the_same_however_it_is_reached(tmp_path: Path) -> None:
    rows = shuffled(write_list(tmp_path, 4, 7, 3))
    whole = stream(rows, 60)

    assert [stream(rows, 1, start)[0] for start in range(59, -1, -1)] == whole[::-1]
    assert rows.batch(2, 15, step=3)[0].tolist() == whole[2:47:3]


def test_data_and_label_of_a_row_stay_together(tmp_path: Path) -> None:
    data, label = shuffled(write_list(tmp_path, 5, 8)).batch(3, 30)

    assert torch.equal(data[:, None] * 10, label)


def refusal(folder: Path, text: str, *names: str) -> str:
    """The message of the error for a list with this text."""
    source = folder / "list.txt"
    source.write_text(text)
    with pytest.raises(DataError) as caught:
        HDF5Rows(str(source), list(names) or ["data"], shuffle=False, seed=0)
    return str(caught.value).replace(f"{folder}/", "")


def test_a_missing_list_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"^list of HDF5 files: cannot read no/list.txt: No such file"
    ):
        HDF5Rows("no/list.txt", ["data"], shuffle=False, seed=0)


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "\n  \n") == "list of HDF5 files 'list.txt' names no file"


def test_all_missing_files_are_named(tmp_path: Path) -> None:
    here = write_file(tmp_path / "here.h5", data=np.zeros(2))
    text = f"{tmp_path}/no.h5\n{here}\n{tmp_path}/neither.h5\n"

    assert refusal(tmp_path, text) == "list.txt names files that do not exist: no.h5, neither.h5"


def test_an_hdf5_file_in_place_of_the_list_is_refused(tmp_path: Path) -> None:
    path = write_file(tmp_path / "train.h5", data=np.zeros(2))

    with pytest.raises(DataError, match=r"train.h5 is an HDF5 file; expected a text list"):
        HDF5Rows(str(path), ["data"], shuffle=False, seed=0)


@pytest.mark.parametrize("content", [b"", b"not HDF5"], ids=["empty", "text"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.h5").write_bytes(content)

    assert refusal(tmp_path, str(tmp_path / "a.h5")).startswith(
        "a.h5 cannot be read as an HDF5 file: "
    )


def test_a_folder_is_refused_in_the_words_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "a.h5").mkdir()

    assert refusal(tmp_path, str(tmp_path / "a.h5")) == (
        "a.h5 cannot be read as an HDF5 file: Is a directory"
    )


def test_what_h5py_cannot_close_was_not_written(tmp_path: Path) -> None:
    said = "Can't decrement id ref count (errno = 28, error message = 'No space left on device')"

    with (
        pytest.raises(
            DataError, match=r"a\.h5 cannot be written as an .*: No space left on device$"
        ),
        open_hdf5(tmp_path / "a.h5", mode="w"),
    ):
        raise RuntimeError(said)


def test_a_missing_dataset_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.h5", data=np.zeros(2), labels=np.zeros(2))

    assert refusal(tmp_path, str(path), "data", "label") == (
        "a.h5 has no dataset 'label', which a top is named after; it has: data, labels; "
        "did you mean 'labels'?"
    )


def test_a_group_is_no_dataset(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.h5", **{"data/images": np.zeros(2)})

    assert refusal(tmp_path, str(path)).startswith("a.h5 has no dataset 'data'")
    assert HDF5Rows(str(tmp_path / "list.txt"), ["data/images"], shuffle=False, seed=0).shapes


@pytest.mark.parametrize(
    ("datasets", "text"),
    [
        pytest.param(
            {"data": np.zeros((5, 2)), "label": np.zeros(4)},
            "a.h5: its datasets differ in their number of rows: 'data' has 5, 'label' has 4",
            id="unequal rows",
        ),
        pytest.param(
            {"data": np.zeros((0, 2)), "label": np.zeros(0)},
            "a.h5: dataset 'data' has no rows",
            id="no rows",
        ),
        pytest.param(
            {"data": 1.0, "label": 2.0},
            "a.h5: dataset 'data' has no axes; its first axis must count the rows",
            id="one number",
        ),
        pytest.param(
            {"data": np.array([b"cat"]), "label": np.zeros(1)},
            "a.h5: dataset 'data' holds |S3; floats and integers are allowed",
            id="text",
        ),
    ],
)
def test_datasets_that_are_no_rows_of_numbers_are_refused(
    tmp_path: Path, datasets: dict[str, object], text: str
) -> None:
    path = write_file(tmp_path / "a.h5", **datasets)

    assert refusal(tmp_path, str(path), "data", "label") == text


def test_files_whose_rows_differ_in_shape_are_refused(tmp_path: Path) -> None:
    one = write_file(tmp_path / "a.h5", data=np.zeros((2, 3)))
    other = write_file(tmp_path / "b.h5", data=np.zeros((2, 4)))

    assert refusal(tmp_path, f"{one}\n{other}\n") == (
        "b.h5 has rows of shapes [(4,)] in data, but a.h5 has [(3,)]"
    )


def test_without_h5py_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_list(tmp_path, 1)
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(
        DataError, match=r"h5py, which is not installed: pip install 'caffepy\[hdf5\]'"
    ):
        in_order(source)


def test_a_file_made_in_memory_is_one_that_h5py_opens(tmp_path: Path) -> None:
    large = np.arange(3_000_000, dtype=np.float32)

    def fill(file: h5py.File) -> None:
        file["a/b"] = large
        file.create_group("empty")

    data = hdf5_bytes("name.h5", fill)
    (tmp_path / "name.h5").write_bytes(data)

    with h5py.File(tmp_path / "name.h5") as file:
        np.testing.assert_array_equal(file["a/b"], large)
        assert len(file["empty"]) == 0
    assert len(data) < 4 * large.size + 20_000
    assert not Path("name.h5").exists()
