import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer
from tests.layers.conformance import check_layer, make_layer, random_bottoms

Floats = NDArray[np.float32]
POOL = 'name: "pool5" type: "ROIPooling" roi_pooling_param { pooled_h: %d pooled_w: %d %s }'


def c_round(x: float) -> int:
    return int(math.copysign(math.floor(abs(x) + 0.5), x))


def bin_edges(low: np.float32, high: np.float32, scale: float, bins: int, size: int) -> list[range]:
    """The elements of each bin, by Caffe's formulas in the type of the numbers given."""
    number = type(low)
    start, end = (c_round(float(edge * number(scale))) for edge in (low, high))
    step = number(max(end - start + 1, 1)) / number(bins)
    return [
        range(
            min(max(math.floor(number(i) * step) + start, 0), size),
            min(max(math.ceil(number(i + 1) * step) + start, 0), size),
        )
        for i in range(bins)
    ]


def roi_pool(
    x: Floats, rois: Floats, pooled: tuple[int, int], scale: float
) -> tuple[Floats, Floats]:
    """Caffe's loop: values, and the gradient of the sum of the values."""
    _, channels, height, width = x.shape
    y = np.zeros((len(rois), channels, *pooled), x.dtype)
    gradient = np.zeros_like(x)
    for r, (image, x1, y1, x2, y2) in enumerate(rois):
        rows = bin_edges(y1, y2, scale, pooled[0], height)
        columns = bin_edges(x1, x2, scale, pooled[1], width)
        for c, i, j in np.ndindex(channels, *pooled):
            best = None
            for h in rows[i]:
                for w in columns[j]:
                    if best is None or x[int(image), c, h, w] > x[(int(image), c, *best)]:
                        best = (h, w)
            if best is not None:
                y[r, c, i, j] = x[(int(image), c, *best)]
                gradient[(int(image), c, *best)] += 1
    return y, gradient


def make(bins: tuple[int, int], options: str = "", dtype: torch.dtype = torch.double) -> Layer:
    return make_layer(POOL % (*bins, options), (2, 3, 6, 7), (4, 5)).to(dtype)


def assert_pools_as_caffe(
    layer: Layer, x: Tensor, rois: Tensor, bins: tuple[int, int], scale: float
) -> None:
    x = x.detach().requires_grad_()
    y = layer(x, rois)
    y.sum().backward()

    expected, gradient = roi_pool(x.detach().numpy(), rois.numpy(), bins, scale)
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), gradient)


BOXES: dict[str, list[list[float]]] = {
    "inside": [[0, 1, 1, 5, 4], [1, 0, 2, 6, 5]],
    "the whole plane": [[1, 0, 0, 6, 5]],
    "one element": [[1, 3, 2, 3, 2]],
    "fewer elements than bins": [[0, 2, 1, 3, 2]],
    "ends before it begins": [[0, 4, 4, 1, 1]],
    "reaches out on all sides": [[1, -3, -4, 9, 8]],
    "far outside": [[0, 20, 1, 25, 4], [1, -9, -9, -7, -7]],
    "much larger than the plane": [[0, -1e4, -1e4, 1e4, 1e4]],
    "halves": [[0, 0.5, 1.5, 4.5, 3.5], [1, -0.5, -1.5, 2.5, 4.5]],
    "just under a half": [[0, 0.49999997, 1.4999999, 4.4999995, 3.4999998]],
    "of both images, one twice": [[1, 0, 0, 3, 3], [0, 0, 0, 3, 3], [1, 0, 0, 3, 3]],
    "none": [],
}


@pytest.mark.parametrize("bins", [(2, 3), (3, 2), (1, 1), (7, 5)], ids=str)
@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES.keys())
def test_value_and_gradient_are_caffes(boxes: list[list[float]], bins: tuple[int, int]) -> None:
    (x,) = random_bottoms((2, 3, 6, 7))
    rois = torch.tensor(boxes, dtype=torch.double).reshape(-1, 5)

    assert_pools_as_caffe(make(bins), x, rois, bins, 1)


@pytest.mark.parametrize("scale", [0.0625, 0.3, 1.7])
def test_regions_are_in_pixels_of_the_image(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    (x,) = random_bottoms((2, 3, 6, 7))
    corner = (torch.rand(20, 2, generator=generator) * 6 - 1) / scale
    side = torch.rand(20, 2, generator=generator) * 6 / scale
    image = torch.randint(2, (20, 1), generator=generator)
    rois = torch.cat((image, corner, corner + side), 1)
    layer = make((2, 3), f"spatial_scale: {scale}", torch.float)

    assert_pools_as_caffe(layer, x.float(), rois, (2, 3), scale)


def test_edges_of_bins_are_rounded_as_float32_is() -> None:
    # 7 * (57 / 7) is above 57 in float32: the last row of bins has an element too many.
    x = torch.arange(60.0).reshape(1, 1, 60, 1)
    layer = make_layer(POOL % (7, 1, ""), (1, 1, 60, 1), (1, 5)).float()
    rois = torch.tensor([[0.0, 0, 0, 0, 56]])

    assert layer(x, rois).flatten().tolist()[-1] == 57
    assert_pools_as_caffe(layer, x, rois, (7, 1), 1)


def test_the_first_of_equal_maxima_gets_the_gradient() -> None:
    x = torch.tensor([[1.0, 0, 2, 2], [2, 0, 0, 2], [0, 2, 2, 0]], requires_grad=True)
    layer = make_layer(POOL % (1, 1, ""), (1, 1, 3, 4), (1, 5)).float()

    layer(x[None, None], torch.tensor([[0.0, 0, 0, 3, 2]])).backward()

    assert x.grad is not None
    assert x.grad.nonzero().tolist() == [[0, 2]]


def test_regions_that_share_an_element_add_up_their_gradients() -> None:
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    layer = make_layer(POOL % (1, 1, ""), (1, 1, 2, 2), (2, 5)).float()

    layer(x, torch.tensor([[0.0, 0, 0, 1, 1], [0, 0, 0, 0, 1]])).sum().backward()

    assert x.grad is not None
    assert x.grad.flatten().tolist() == [2, 0, 0, 0]


def test_conforms_and_regions_get_no_gradient() -> None:
    layer = make((2, 3))
    (x,) = random_bottoms((2, 3, 6, 7))
    rois = torch.tensor(BOXES["inside"] + BOXES["halves"], dtype=torch.double)
    check_layer(layer, [x, rois], tops=[(4, 3, 2, 3)])
    rois.requires_grad_()

    layer(x, rois).sum().backward()

    assert rois.grad is None


def test_regions_may_have_axes_of_one() -> None:
    layer = make((2, 3))
    (x,) = random_bottoms((2, 3, 6, 7))
    rois = torch.tensor(BOXES["inside"], dtype=torch.double)

    assert torch.equal(layer(x, rois[:, :, None, None]), layer(x, rois))


def test_channels_last_and_few_bits() -> None:
    layer = make((2, 3))
    (x,) = random_bottoms((2, 3, 6, 7))
    rois = torch.tensor(BOXES["inside"])
    x = x.detach().bfloat16()

    y = layer(x.to(memory_format=torch.channels_last), rois)

    assert y.dtype == torch.bfloat16
    assert torch.equal(y, layer(x.float(), rois).bfloat16())


def test_nan_is_the_maximum_of_its_bins_and_of_no_other() -> None:
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 1, 3] = math.nan
    layer = make_layer(POOL % (2, 2, ""), (1, 1, 4, 4), (1, 5)).float()

    y = layer(x, torch.tensor([[0.0, 0, 0, 3, 3]]))

    assert y.isnan().flatten().tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("roi", "text"),
    [
        ([2, 0, 0, 3, 3], r"region 1 is of image 2 and has the box \(0, 0, 3, 3\); allowed are "),
        ([-1, 0, 0, 3, 3], "region 1 is of image -1 and .* images 0 to 1 and finite boxes"),
        ([0, 0, math.nan, 3, 3], r"region 1 is of image 0 and has the box \(0, nan, 3, 3\)"),
        ([0, 0, 0, math.inf, 3], r"region 1 is of image 0 and has the box \(0, 0, inf, 3\)"),
        ([math.nan, 0, 0, 3, 3], "region 1 is of image nan"),
    ],
    ids=str,
)
def test_a_region_of_no_image_is_named_and_gives_nan(roi: Sequence[float], text: str) -> None:
    layer = make((2, 3))
    (x,) = random_bottoms((2, 3, 6, 7))
    rois = torch.tensor([[0.0, 1, 1, 3, 3], roi])

    with pytest.raises(LayerError, match=rf"layer 'pool5' \(ROIPooling\): {text}"):
        layer.check(x, rois)
    y = layer(x, rois)
    y.sum().backward()

    assert y[1].isnan().all()
    assert y[0].isfinite().all()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_regions_of_images_pass_the_check() -> None:
    make((2, 3)).check(torch.zeros(2, 3, 6, 7), torch.tensor(BOXES["far outside"]))


def test_planes_may_change_their_size_and_number() -> None:
    (x,) = random_bottoms((3, 2, 9, 4))
    rois = torch.tensor([[2.0, 0, 3, 3, 8]]).double()

    assert_pools_as_caffe(make((2, 3)), x, rois, (2, 3), 1)


@pytest.mark.parametrize("field", ["pooled_h", "pooled_w"])
def test_bins_must_be_set(field: str) -> None:
    other = {"pooled_h": "pooled_w", "pooled_w": "pooled_h"}[field]
    text = f'name: "p" type: "ROIPooling" roi_pooling_param {{ {other}: 7 }}'

    with pytest.raises(LayerError, match=f"{field} is 0, must be at least 1") as caught:
        make_layer(text, (2, 3, 6, 7), (4, 5))

    assert caught.value.field == f"roi_pooling_param.{field}"


@pytest.mark.parametrize(
    ("features", "rois", "text"),
    [
        ((2, 3, 6), (4, 5), r"the features must have 4 axes, .*\(2, 3, 6\)"),
        ((2, 3, 6, 7), (4, 4), r"the regions must have shape \(R, 5\), .*\(4, 4\)"),
        ((2, 3, 6, 7), (5,), r"the regions must have shape \(R, 5\), .*\(5,\)"),
        ((2, 3, 6, 7), (4, 5, 2), r"the regions must have shape \(R, 5\), .*\(4, 5, 2\)"),
    ],
    ids=str,
)
def test_shapes_are_checked_when_built_and_when_run(
    features: tuple[int, ...], rois: tuple[int, ...], text: str
) -> None:
    with pytest.raises(LayerError, match=text):
        make_layer(POOL % (2, 3, ""), features, rois)
    with pytest.raises(LayerError, match=text):
        make((2, 3))(torch.zeros(features), torch.zeros(rois))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    layer = make((2, 3), dtype=torch.float)
    (x,) = random_bottoms((2, 3, 6, 7))
    x = x.detach().float().requires_grad_()
    rois = torch.tensor(BOXES["inside"] + BOXES["halves"])

    y = torch.compile(layer, backend="aot_eager", fullgraph=True)(x, rois)
    y.sum().backward()

    expected, gradient = roi_pool(x.detach().numpy(), rois.numpy(), (2, 3), 1)
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), gradient)
