import math

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer
from caffepy.layers.prior_box import box_sides, distinct_ratios
from caffepy.proto import PriorBoxParameter
from tests.layers.conformance import make_layer

PRIOR = 'name: "prior" type: "PriorBox" prior_box_param {{ {} }}'
PLANE, IMAGE = (2, 5, 3, 4), (2, 3, 30, 48)


def make(options: str) -> Layer:
    return make_layer(PRIOR.format(options), PLANE, IMAGE).float()


def priors(options: str) -> NDArray[np.float32]:
    """The boxes, one a row, that SSD's loops give for a plane and an image of these sizes."""
    param = text_format.Parse(options, PriorBoxParameter())
    ratios = [1.0]
    for given in param.aspect_ratio:
        if not any(math.isclose(given, ratio, abs_tol=1e-6) for ratio in ratios):
            ratios.append(given)
            if param.flip:
                ratios.append(1 / given)
    image_h = param.img_h or param.img_size or IMAGE[2]
    image_w = param.img_w or param.img_size or IMAGE[3]
    step_h = param.step_h or param.step or image_h / PLANE[2]
    step_w = param.step_w or param.step or image_w / PLANE[3]
    rows = []
    for h, w in np.ndindex(PLANE[2:]):
        x, y = (w + param.offset) * step_w, (h + param.offset) * step_h
        for index, size in enumerate(map(int, param.min_size)):
            sides = [(float(size), float(size))]
            if param.max_size:
                side = math.sqrt(size * int(param.max_size[index]))
                sides.append((side, side))
            sides += [(size * math.sqrt(r), size / math.sqrt(r)) for r in ratios if r != 1]
            for width, height in sides:
                row = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
                rows.append(np.array(row) / [image_w, image_h, image_w, image_h])
    boxes = np.array(rows, np.float32)
    return boxes.clip(0, 1) if param.clip else boxes


@pytest.mark.parametrize(
    ("options", "boxes"),
    [
        pytest.param("min_size: 9", 1, id="one square"),
        pytest.param("min_size: 9 max_size: 16", 2, id="max_size"),
        pytest.param("min_size: 9 max_size: 16 aspect_ratio: 2", 4, id="aspect_ratio, flipped"),
        pytest.param("min_size: 9 aspect_ratio: 2 aspect_ratio: 3", 5, id="two ratios"),
        pytest.param("min_size: 9 aspect_ratio: 2 flip: false", 2, id="not flipped"),
        pytest.param("min_size: 9 aspect_ratio: 2 aspect_ratio: 0.5", 3, id="a ratio's inverse"),
        pytest.param("min_size: 9 aspect_ratio: 1 aspect_ratio: 2 aspect_ratio: 2", 3, id="twice"),
        pytest.param(
            "min_size: 9 min_size: 20 max_size: 16 max_size: 31 aspect_ratio: 2", 8, id="two sizes"
        ),
        pytest.param("min_size: 9.9 max_size: 16.8 aspect_ratio: 3", 4, id="fractions"),
        pytest.param("min_size: 9 clip: true", 1, id="clipped"),
        pytest.param("min_size: 9 offset: 0.25", 1, id="offset"),
        pytest.param("min_size: 9 step: 7.5", 1, id="step"),
        pytest.param("min_size: 9 step_h: 7.5 step_w: 8", 1, id="step_h, step_w"),
        pytest.param("min_size: 9 img_size: 60", 1, id="img_size"),
        pytest.param("min_size: 9 img_h: 60 img_w: 90 step: 8", 1, id="img_h, img_w"),
    ],
)
def test_boxes_are_ssds(options: str, boxes: int) -> None:
    layer = make(options)
    top = (1, 2, 3 * 4 * boxes * 4)
    assert layer.top_shapes(PLANE, IMAGE) == [top]

    y = layer(torch.zeros(PLANE), torch.zeros(IMAGE))

    assert tuple(y.shape) == top
    assert y.dtype == torch.float32
    np.testing.assert_allclose(y[0, 0].view(-1, 4), priors(options), rtol=3e-7, atol=1e-8)


def test_boxes_of_one_element_worked_by_hand() -> None:
    layer = make_layer(
        PRIOR.format("min_size: 4 max_size: 9 aspect_ratio: 4"), (1, 1, 1, 1), (1, 3, 20, 10)
    )

    boxes = layer(torch.zeros(1, 1, 1, 1), torch.zeros(1, 3, 20, 10))[0, 0].view(4, 4)

    # Around (5, 10) in an image 10 wide and 20 high: 4 x 4, 6 x 6, 8 x 2 and 2 x 8 pixels.
    expected = [
        [0.3, 0.4, 0.7, 0.6],
        [0.2, 0.35, 0.8, 0.65],
        [0.1, 0.45, 0.9, 0.55],
        [0.4, 0.3, 0.6, 0.7],
    ]
    torch.testing.assert_close(boxes, torch.tensor(expected))


@pytest.mark.parametrize(
    ("options", "variances"),
    [
        pytest.param("", [0.1, 0.1, 0.1, 0.1], id="default"),
        pytest.param("variance: 0.3", [0.3, 0.3, 0.3, 0.3], id="one"),
        pytest.param("variance: [0.1, 0.1, 0.2, 0.25]", [0.1, 0.1, 0.2, 0.25], id="four"),
    ],
)
def test_variances_come_second(options: str, variances: list[float]) -> None:
    y = make(f"min_size: 9 aspect_ratio: 2 {options}")(torch.zeros(PLANE), torch.zeros(IMAGE))

    assert torch.equal(y[0, 1].view(-1, 4), torch.tensor(variances).expand(36, 4))


def test_the_sizes_of_plane_and_image_may_change() -> None:
    layer = make("min_size: 9")

    assert layer(torch.zeros(1, 5, 6, 2), torch.zeros(1, 3, 60, 48)).shape == (1, 2, 6 * 2 * 4)


def test_bottoms_get_no_gradient() -> None:
    x = torch.zeros(PLANE, requires_grad=True)

    assert not make("min_size: 9")(x, torch.zeros(IMAGE)).requires_grad


def test_features_of_few_bits_have_boxes_in_float32() -> None:
    boxes = make("min_size: 9")(torch.zeros(PLANE).bfloat16(), torch.zeros(IMAGE).bfloat16())

    assert boxes.dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        ("", "min_size", r"min_size is \[\]: give one or more, each at least 1"),
        ("min_size: 0", "min_size", r"min_size is \[0.0\]"),
        ("min_size: 0.5", "min_size", r"min_size is \[0.5\]"),
        ("min_size: nan", "min_size", r"min_size is \[nan\]"),
        ("min_size: 9 max_size: 9", "max_size", "a max_size is 9, must be above its min_size, 9"),
        ("min_size: 9 min_size: 5 max_size: 9", "max_size", "1 max_size for 2 min_size: give none"),
        ("min_size: 9 aspect_ratio: 0", "aspect_ratio", r"aspect_ratio is \[0.0\], each must be"),
        (
            "min_size: 9 variance: [1, 2]",
            "variance",
            r"variance is \[1.0, 2.0\]: give none, one or",
        ),
        ("min_size: 9 variance: 0", "variance", r"variance is \[0.0\]: give none, one or four"),
        ("min_size: 9 img_size: 0", "img_size", "img_size is 0, must be above 0"),
        ("min_size: 9 img_h: 5", "img_h", "img_h set: give either img_size, or both img_h and img"),
        ("min_size: 9 img_h: 5 img_w: 0", "img_w", "img_w is 0, must be above 0"),
        ("min_size: 9 img_h: 5 img_w: 5 img_size: 5", "img_h", "img_size and img_h and img_w set"),
        ("min_size: 9 step: -1", "step", "step is -1.0, must be above 0"),
        ("min_size: 9 step: 1 step_w: 2", "step", "step and step_w set: give either step, or both"),
    ],
)
def test_settings_that_cannot_be(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=rf"layer 'prior' \(PriorBox\): {text}") as caught:
        make(options)

    assert caught.value.field == f"prior_box_param.{field}"


def test_planes_and_images_have_4_axes() -> None:
    options = PRIOR.format("min_size: 9")
    with pytest.raises(LayerError, match=r"the features must have 4 axes, .*\(2, 5\)"):
        make_layer(options, (2, 5), IMAGE)
    with pytest.raises(LayerError, match=r"the images must have 4 axes, .*\(2, 3\)"):
        make("min_size: 9")(torch.zeros(PLANE), torch.zeros(2, 3))


def test_ratios_that_are_nearly_one_are_one() -> None:
    assert distinct_ratios([2, 2.0000005, 1.0000005], flip=True) == [1, 2, 0.5]
    assert distinct_ratios([3, 1 / 3], flip=False) == [1, 3, 1 / 3]


def test_sides_begin_with_the_squares() -> None:
    assert box_sides(4, 9, [1, 4, 0.25]) == [(4, 4), (6, 6), (8, 2), (2, 8)]
    assert box_sides(4, None, [1]) == [(4, 4)]
