from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from caffepy.data.images import Pixels, encode_image
from caffepy.data.window_crop import WindowCrop
from caffepy.data.window_list import WindowList, read_windows
from caffepy.data.windows import WindowBatch, WindowSampler, draw, keep
from caffepy.errors import DataError

SIZES = ((30, 40), (24, 50))  # rows and columns of the images
BOXES = (
    (0, "0 0.1 3 4 12 9"),
    (0, "3 0.9 0 0 39 29"),
    (0, "5 0.7 20 2 36 27"),
    (1, "0 0.0 10 5 19 20"),
    (1, "2 1.0 30 0 49 23"),
)


def slope(height: int, width: int) -> Pixels:
    """An image (H, W, 3) that rises evenly along both axes, so that resizing is a formula."""
    y, x = np.mgrid[:height, :width]
    return np.stack([4 * x + 10, 5 * y + 20, 2 * x + 3 * y + 30], axis=2).astype(np.uint8)


def write(folder: Path) -> WindowList:
    text = []
    for number, (height, width) in enumerate(SIZES):
        (folder / f"{number}.png").write_bytes(encode_image(slope(height, width), "png"))
        boxes = [box for image, box in BOXES if image == number]
        header = [f"# {number}", f"{number}.png", 3, height, width, len(boxes)]
        text += [f"{word}\n" for word in [*header, *boxes]]
    (folder / "windows.txt").write_text("".join(text))
    return read_windows(folder / "windows.txt", f"{folder}/", 0.5, 0.5)


def sample(
    windows: WindowList,
    crop: WindowCrop,
    *,
    mean: NDArray[np.float32] | None = None,
    scale: float = 1,
    mirror: bool = False,
    files: list[bytes] | None = None,
) -> WindowSampler:
    zero = np.zeros((1, 1, 1), np.float32)
    return WindowSampler(
        windows, crop, zero if mean is None else mean, scale, mirror, 8, 3, 5, files or []
    )


def read(sampler: WindowSampler, count: int = 4) -> list[WindowBatch]:
    with ThreadPoolExecutor(2) as pool:
        return list(islice(sampler.batches(0, 1, pool), count))


def nearest(value: float) -> int:
    """C's round."""
    return int(np.sign(value) * np.floor(abs(value) + 0.5))


def look(
    first: int, last: int, half: float, length: int, crop: WindowCrop, mirror: bool
) -> list[float | None]:
    """For each pixel of the crop along an axis, which coordinate it shows; None is outside."""
    start, size = 0, crop.crop
    if crop.pad or crop.square:
        middle, reach = (first + last + 1) / 2, half * crop.crop / (crop.crop - 2 * crop.pad)
        first, last = nearest(middle - reach), nearest(middle + reach)
        scale = crop.crop / (last - first + 1)
        before, after = max(0, -first), max(0, last - length + 1)
        first, last = first + before, last - after
        start = nearest((after if mirror else before) * scale)
        size = min(nearest((last - first + 1) * scale), crop.crop - start)
    places = [
        float(np.clip((place + 0.5) * (last - first + 1) / size - 0.5, 0, last - first)) + first
        for place in range(size)
    ]
    return [None] * start + places[:: -1 if mirror else 1] + [None] * (crop.crop - start - size)


def reference(
    size: tuple[int, int], box: tuple[int, ...], crop: WindowCrop, mirror: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A crop of a slope (3, crop, crop), pixel by pixel, and where it is inside the image."""
    x1, y1, x2, y2 = box
    halves = [(y2 - y1 + 1) / 2, (x2 - x1 + 1) / 2]
    half_y, half_x = [max(halves)] * 2 if crop.square else halves
    out = np.zeros((3, crop.crop, crop.crop))
    inside = np.zeros((crop.crop, crop.crop), bool)
    for row, y in enumerate(look(y1, y2, half_y, size[0], crop, mirror=False)):
        for column, x in enumerate(look(x1, x2, half_x, size[1], crop, mirror)):
            if x is not None and y is not None:
                out[:, row, column] = [4 * x + 10, 5 * y + 20, 2 * x + 3 * y + 30]
                inside[row, column] = True
    return out, inside


def tell_box(batch: WindowBatch, item: int) -> list[tuple[int, tuple[int, ...]]]:
    """The image and corners of the windows that have an item's label."""
    words = [(image, box.split()) for image, box in BOXES]
    label = int(batch.labels[item])
    return [
        (image, tuple(map(int, corners)))
        for image, (name, _, *corners) in words
        if int(name) == label
    ]


@pytest.mark.parametrize("mirror", [False, True], ids=["as it is", "mirrored"])
@pytest.mark.parametrize("square", [False, True], ids=["warp", "square"])
@pytest.mark.parametrize("pad", [0, 3])
def test_crops_are_those_of_a_naive_reference(
    tmp_path: Path, pad: int, square: bool, mirror: bool
) -> None:
    crop = WindowCrop(15, pad, square)
    rng = np.random.default_rng(0)
    mean = rng.uniform(0, 50, (3, 15, 15)).astype(np.float32)
    sampler = sample(write(tmp_path), crop, mean=mean, scale=0.5, mirror=mirror)

    seen = set()
    for batch in read(sampler):
        assert batch.data.shape == (8, 3, 15, 15)
        assert all(batch.labels[:5] == 0)
        assert all(batch.labels[5:] > 0)
        for item, data in enumerate(batch.data.numpy()):
            errors = {}
            for image, box in tell_box(batch, item):
                for flipped in {False, mirror}:
                    pixels, inside = reference(SIZES[image], box, crop, flipped)
                    expected = np.where(inside, (pixels - mean) * 0.5, 0)
                    errors[image, box, flipped] = float(np.abs(data - expected).max())
            found = min(errors, key=errors.__getitem__)
            assert errors[found] <= 0.51  # a level of 255, halved by the scale
            seen.add(found)
    assert {(image, box) for image, box, _ in seen} == {
        (image, tuple(map(int, box.split()[2:]))) for image, box in BOXES
    }
    assert {flipped for *_, flipped in seen} == {False, mirror}


def test_a_batch_depends_on_the_seed_and_its_number_only(tmp_path: Path) -> None:
    sampler = sample(write(tmp_path), WindowCrop(9, 1, square=False), mirror=True)
    batches = read(sampler, 6)

    with ThreadPoolExecutor(1) as pool:
        later = list(islice(sampler.batches(1, 2, pool), 3))

    for batch, same in zip(batches[1::2], later, strict=True):
        assert batch.data.equal(same.data)
        assert batch.labels.equal(same.labels)
    assert len({batch.data.numpy().tobytes() for batch in batches}) == 6


def test_files_kept_in_memory_are_not_opened_again(tmp_path: Path) -> None:
    windows = write(tmp_path)
    crop = WindowCrop(9, 0, square=False)
    before = read(sample(windows, crop))
    files = keep(windows.images)
    for number in range(len(SIZES)):
        (tmp_path / f"{number}.png").unlink()

    after = read(sample(windows, crop, files=files))

    assert all(one.data.equal(other.data) for one, other in zip(before, after, strict=True))


def test_a_missing_image_is_named_with_its_line(tmp_path: Path) -> None:
    windows = write(tmp_path)
    (tmp_path / "1.png").unlink()
    where = r"windows\.txt:11: could not load '.*1\.png': No such file"

    with pytest.raises(DataError, match=where):
        read(sample(windows, WindowCrop(9, 0, square=False)))
    with pytest.raises(DataError, match=where):
        keep(windows.images)


def test_a_damaged_image_is_named_with_its_line(tmp_path: Path) -> None:
    windows = write(tmp_path)
    (tmp_path / "0.png").write_bytes(b"no picture")

    with pytest.raises(DataError, match=r"windows\.txt:2: could not load '.*0\.png': not an image"):
        read(sample(windows, WindowCrop(9, 0, square=False)))


def test_a_window_outside_its_image_is_named_with_it(tmp_path: Path) -> None:
    windows = write(tmp_path)
    windows.background[:, 4] = 77

    with pytest.raises(
        DataError,
        match=r"windows\.txt:\d+: window \d+ \d 77 \d+ of '.*png', which has \d+ rows and \d+ "
        "columns: not inside the image",
    ):
        read(sample(windows, WindowCrop(9, 0, square=False)))


def test_windows_are_drawn_evenly_by_the_lower_half_of_a_number() -> None:
    boxes = np.arange(4, dtype=np.int32)[:, None]
    quarter = 2**30
    numbers = [0, quarter - 1, quarter, 2 * quarter, 4 * quarter - 1, 2**63 + 3 * quarter]

    drawn = draw(boxes, np.array(numbers, np.uint64))

    assert drawn[:, 0].tolist() == [0, 0, 1, 2, 3, 3]
    assert draw(boxes[:0], np.empty(0, np.uint64)).shape == (0, 1)
