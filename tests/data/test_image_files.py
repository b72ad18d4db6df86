from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from caffepy.data.image_files import ImageFiles
from caffepy.data.resize import resize
from caffepy.errors import DataError
from tests.data.databases import ramp, write_list


def make(
    source: str,
    folder: str,
    *,
    color: bool = True,
    size: tuple[int, int] | None = None,
    seed: int | None = None,
) -> ImageFiles:
    return ImageFiles(source, folder, color=color, size=size, seed=seed)


def labels(files: ImageFiles, count: int, start: int = 0, step: int = 1) -> list[int]:
    return [entry.label for entry in islice(files.items(start, step), count)]


def test_the_order_is_that_of_the_list_epoch_after_epoch(tmp_path: Path) -> None:
    files = make(*write_list(tmp_path, [ramp(2, 3)] * 5))

    assert len(files) == 5
    assert labels(files, 7, start=3) == [3, 4, 0, 1, 2, 3, 4]
    assert labels(files, 4, start=1, step=3) == [1, 4, 2, 0]


def test_each_shuffled_epoch_has_all_images_in_an_order_of_its_own(tmp_path: Path) -> None:
    source, folder = write_list(tmp_path, [ramp(2, 3)] * 9)
    drawn = labels(make(source, folder, seed=3), 27)
    epochs = [drawn[start : start + 9] for start in (0, 9, 18)]

    assert all(sorted(epoch) == list(range(9)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, range(9)]}) == 4
    assert labels(make(source, folder, seed=3), 17, start=10) == drawn[10:]
    assert labels(make(source, folder, seed=3), 9, start=1, step=3) == drawn[1::3]
    assert labels(make(source, folder, seed=-4), 27) != drawn


def test_loads_images_in_order_with_labels_and_names(tmp_path: Path) -> None:
    images = [ramp(2, 3), ramp(4, 5, start=70), ramp(3, 2, start=9)]
    files = make(*write_list(tmp_path, images))

    samples = files.load(files.entries[::-1])

    for sample, number in zip(samples, (2, 1, 0), strict=True):
        np.testing.assert_array_equal(sample.image, images[number].transpose(2, 0, 1))
        assert sample.label == number
        path = f"{tmp_path}/images/{number}.png"
        assert sample.where == f"{tmp_path}/list.txt:{number + 1}: {path!r}"


def test_the_folder_is_put_before_the_name_as_it_is(tmp_path: Path) -> None:
    source, folder = write_list(tmp_path, [ramp(2, 3)])
    Path(source).write_text("es/0.png 6\n")
    files = make(source, folder.removesuffix("es/"))

    assert files.sample(files.entries[0]).label == 6


def test_grey(tmp_path: Path) -> None:
    image = np.repeat(ramp(2, 3, 1), 3, axis=2)
    files = make(*write_list(tmp_path, [image]), color=False)

    np.testing.assert_array_equal(files.sample(files.entries[0]).image, [image[:, :, 0]])


def test_resized(tmp_path: Path) -> None:
    files = make(*write_list(tmp_path, [ramp(9, 7)]), size=(4, 5))

    image = files.sample(files.entries[0]).image

    np.testing.assert_array_equal(image, resize(ramp(9, 7), 4, 5).transpose(2, 0, 1))


def test_an_unreadable_image_is_named_with_its_line(tmp_path: Path) -> None:
    source, folder = write_list(tmp_path, [ramp(2, 3)] * 2)
    (tmp_path / "images" / "1.png").write_bytes(b"no picture")
    with Path(source).open("a") as file:
        file.write("missing.png 4\n")
    files = make(source, folder)

    with pytest.raises(DataError, match=r"list\.txt:2: could not load '.*1\.png': not an image"):
        files.sample(files.entries[1])
    with pytest.raises(DataError, match=r"list\.txt:3: could not load '.*missing\.png': No such"):
        files.sample(files.entries[2])


def test_a_wrong_list_is_refused(tmp_path: Path) -> None:
    source, folder = write_list(tmp_path, [ramp(2, 3)])
    with Path(source).open("a") as file:
        file.write("1.png cat\n")

    with pytest.raises(DataError, match=r"list\.txt:2: label 'cat' is not a whole number"):
        make(source, folder)
