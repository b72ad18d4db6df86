import numpy as np
import pytest
from google.protobuf import text_format
from numpy.typing import NDArray

from caffepy.data.crop import TRIES, Areas, Corners, Crop, boxes
from caffepy.errors import LayerError
from caffepy.proto import TransformationParameter

NUMBERS = np.arange(20_000, dtype=np.uint64)


def make(prototxt: str, training: bool = True) -> Crop:
    param = text_format.Parse(prototxt, TransformationParameter())
    return Crop(param, training, "layer 'data' (Data)")


def corners(prototxt: str, size: tuple[int, int], training: bool = True, seed: int = 1) -> Corners:
    sizes = np.broadcast_to(size, (len(NUMBERS), 2))
    return make(prototxt, training).corners(seed, NUMBERS, sizes)


@pytest.mark.parametrize(
    ("prototxt", "size"),
    [("", None), ("crop_size: 3", (3, 3)), ("crop_h: 3 crop_w: 5", (3, 5))],
    ids=["whole", "square", "rectangle"],
)
def test_size(prototxt: str, size: tuple[int, int] | None) -> None:
    assert make(prototxt).size == size


def test_a_rectangle_goes_to_every_place_about_equally_often() -> None:
    found = corners("crop_h: 5 crop_w: 7", (7, 8))

    places = np.stack([found.top, found.left], axis=1)
    kinds, counts = np.unique(places, axis=0, return_counts=True)
    assert kinds.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [2, 1]]
    assert np.abs(counts - 20_000 / 6).max() < 4 * np.sqrt(20_000 * 5 / 36)


def test_in_test_a_rectangle_is_central() -> None:
    found = corners("crop_h: 3 crop_w: 5", (8, 8), training=False)

    assert set(found.top) == {2}
    assert set(found.left) == {1}


def test_ten_crops_are_corners_and_centre_and_these_mirrored() -> None:
    crop = make("crop_h: 3 crop_w: 5 ten_crop: true mirror: true", training=False)

    found = crop.corners(0, NUMBERS[:2], np.array([[8, 8], [3, 9]]))

    first = [(0, 0), (0, 3), (5, 0), (5, 3), (2, 1)]
    second = [(0, 0), (0, 4), (0, 0), (0, 4), (0, 2)]
    assert [*zip(found.top, found.left, strict=True)] == first * 2 + second * 2
    assert found.mirror.tolist() == ([False] * 5 + [True] * 5) * 2
    assert crop.views == 10


def test_in_training_ten_crop_changes_nothing() -> None:
    plain, ten = (corners(f"crop_size: 3 {more}", (8, 9)) for more in ("", "ten_crop: true"))

    np.testing.assert_array_equal(plain.left, ten.left)
    assert make("crop_size: 3 ten_crop: true").views == 1


def test_parts_have_the_areas_and_shapes_that_are_allowed() -> None:
    found = corners(
        "crop_size: 3 random_resized_crop { min_area: 0.1 max_area: 0.5 }", (1000, 1000)
    )

    assert found.sizes is not None
    rows, columns = found.sizes.T
    area, aspect = rows * columns / 1e6, np.log(columns / rows)
    assert 0.099 < area.min() < 0.101
    assert 0.499 < area.max() < 0.501
    assert area.mean() == pytest.approx(0.3, abs=4 * 0.4 / np.sqrt(12 * 20_000))
    assert area.var() == pytest.approx(0.4**2 / 12, rel=0.03)
    limit = np.log(4 / 3)
    assert np.abs(aspect).max() < limit + 0.005
    assert aspect.mean() == pytest.approx(0, abs=4 * 2 * limit / np.sqrt(12 * 20_000))
    assert aspect.var() == pytest.approx((2 * limit) ** 2 / 12, rel=0.03)
    assert abs(np.corrcoef(area, aspect)[0, 1]) < 4 / np.sqrt(20_000)


def test_parts_lie_inside_their_image_and_anywhere_in_it() -> None:
    found = corners("crop_size: 3 random_resized_crop { }", (30, 40))

    assert found.sizes is not None
    ends = np.stack([found.top, found.left], axis=1) + found.sizes
    assert (found.top.min(), found.left.min()) == (0, 0)
    assert ends.max(axis=0).tolist() == [30, 40]
    spare = np.array([30, 40]) - found.sizes
    place = np.stack([found.top, found.left], axis=1)[spare.min(axis=1) > 5] + 0.5
    share = place / (spare[spare.min(axis=1) > 5] + 1)
    assert share.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.01)


def one_box(
    limits: Areas, chance: NDArray[np.float64], rows: int, columns: int
) -> tuple[int, int, int, int]:
    """Inception's way to a part, a try at a time: (top, left, rows, columns)."""
    low, high = np.log(limits.min_aspect), np.log(limits.max_aspect)
    for number in range(TRIES):
        part = limits.min_area + chance[number] * (limits.max_area - limits.min_area)
        aspect = np.exp(low + chance[TRIES + number] * (high - low))
        height = round(np.sqrt(part * rows * columns / aspect))
        width = round(np.sqrt(part * rows * columns * aspect))
        if 0 < height <= rows and 0 < width <= columns:
            top = int(chance[-2] * (rows - height + 1))
            return top, int(chance[-1] * (columns - width + 1)), height, width
    height, width = rows, columns
    if columns / rows < limits.min_aspect:
        height = max(round(columns / limits.min_aspect), 1)
    elif columns / rows > limits.max_aspect:
        width = max(round(rows * limits.max_aspect), 1)
    return (rows - height) // 2, (columns - width) // 2, height, width


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Areas(0.08, 1, 3 / 4, 4 / 3), id="Inception's"),
        pytest.param(Areas(0.9, 1, 0.2, 0.9), id="tall"),
        pytest.param(Areas(1, 1, 2, 3), id="never fits"),
    ],
)
def test_parts_are_those_of_the_naive_way(limits: Areas) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 60, (300, 2))
    chance = rng.random((300, 2 * TRIES + 2))

    found = boxes(limits, chance, sizes, np.zeros(300, bool))

    assert found.sizes is not None
    expected = [one_box(limits, c, *s) for c, s in zip(chance, sizes.tolist(), strict=True)]
    actual = np.column_stack([found.top, found.left, found.sizes])
    np.testing.assert_array_equal(actual, expected)


def test_in_test_no_part_is_resized() -> None:
    crop = make("crop_size: 3 random_resized_crop { }", training=False)

    assert not crop.resized
    assert crop.corners(0, NUMBERS[:1], np.array([[8, 9]])).top.tolist() == [2]


AREA = "they are parts of an image, above 0, up to 1, and the first is not the larger one"
SHAPE = "they are columns by rows, above 0, and the first is not the larger one"


@pytest.mark.parametrize(
    ("prototxt", "text", "field"),
    [
        ("crop_size: 3 crop_h: 3 crop_w: 4", "crop_size and crop_h are both set", "crop_h"),
        ("crop_w: 4", "crop_h is 0 and crop_w 4; set both of them, or none", "crop_w"),
        ("ten_crop: true", "ten_crop needs crop_size, or crop_h and crop_w", "ten_crop"),
        ("random_resized_crop { }", "random_resized_crop needs crop_size", "random_resized_crop"),
        (
            "crop_size: 3 random_resized_crop { min_area: 0 }",
            f"min_area is 0 and max_area 1; {AREA}",
            "random_resized_crop",
        ),
        (
            "crop_size: 3 random_resized_crop { min_area: 0.5 max_area: 0.4 }",
            f"min_area is 0.5 and max_area 0.4; {AREA}",
            "random_resized_crop",
        ),
        (
            "crop_size: 3 random_resized_crop { max_area: 2 }",
            f"min_area is 0.08 and max_area 2; {AREA}",
            "random_resized_crop",
        ),
        (
            "crop_size: 3 random_resized_crop { min_aspect_ratio: 2 }",
            f"min_aspect_ratio is 2 and max_aspect_ratio 1.33333; {SHAPE}",
            "random_resized_crop",
        ),
        (
            'crop_size: 3 random_resized_crop { } mean_file: "m"',
            "random_resized_crop takes no mean_file, whose pixels have places; give mean_value",
            "mean_file",
        ),
    ],
)
@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
def test_refuses(prototxt: str, text: str, field: str, training: bool) -> None:
    with pytest.raises(LayerError) as caught:
        make(prototxt, training)
    assert str(caught.value).startswith(f"layer 'data' (Data): {text}")
    assert caught.value.field == f"transform_param.{field}"
