import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer
from tests.layers.conformance import check_layer, make_layer, random_bottoms

Floats = NDArray[np.float64]
POOL = (
    'name: "ps" type: "PSROIPooling" '
    "psroi_pooling_param {{ output_dim: {} group_size: {} spatial_scale: {} }}"
)


def c_round(x: float) -> float:
    return math.copysign(math.floor(abs(x) + 0.5), x)


def bin_edges(low: float, high: float, scale: float, bins: int, size: int) -> list[range]:
    start, end = c_round(low) * scale, (c_round(high) + 1) * scale
    step = max(end - start, 0.1) / bins
    return [
        range(
            min(max(math.floor(i * step + start), 0), size),
            min(max(math.ceil((i + 1) * step + start), 0), size),
        )
        for i in range(bins)
    ]


def psroi_pool(x: Floats, rois: Floats, outputs: int, group: int, scale: float) -> Floats:
    """R-FCN's loop."""
    y = np.zeros((len(rois), outputs, group, group))
    for r, (image, x1, y1, x2, y2) in enumerate(rois):
        rows = bin_edges(y1, y2, scale, group, x.shape[2])
        columns = bin_edges(x1, x2, scale, group, x.shape[3])
        for d, i, j in np.ndindex(outputs, group, group):
            channel = (d * group + i) * group + j
            covered = [x[int(image), channel, h, w] for h in rows[i] for w in columns[j]]
            y[r, d, i, j] = sum(covered) / len(covered) if covered else 0
    return y


def make(outputs: int = 2, group: int = 3, scale: float = 1) -> Layer:
    return make_layer(POOL.format(outputs, group, scale), (2, outputs * group**2, 6, 7), (4, 5))


BOXES: dict[str, list[list[float]]] = {
    "inside": [[0, 1, 1, 5, 4], [1, 0, 2, 6, 5]],
    "the whole plane": [[1, 0, 0, 6, 5]],
    "one element": [[1, 3, 2, 3, 2]],
    "ends before it begins": [[0, 4, 4, 1, 1]],
    "reaches out on all sides": [[1, -3, -4, 9, 8]],
    "far outside": [[0, 20, 1, 25, 4], [1, -9, -9, -7, -7]],
    "halves": [[0, 0.5, 1.5, 4.5, 3.5], [1, -0.5, -1.5, 2.5, 4.5]],
    "none": [],
}


@pytest.mark.parametrize(("outputs", "group"), [(2, 3), (3, 2), (4, 1)], ids=str)
@pytest.mark.parametrize("scale", [1, 0.25, 0.4])
@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES.keys())
def test_value_is_r_fcns(boxes: list[list[float]], scale: float, outputs: int, group: int) -> None:
    scale = float(np.float32(scale))
    (x,) = random_bottoms((2, outputs * group**2, 6, 7))
    rois = torch.tensor(boxes, dtype=torch.double).reshape(-1, 5)
    rois[:, 1:] = (rois[:, 1:] / scale * 2).round() / 2

    y = make(outputs, group, scale)(x, rois)

    expected = psroi_pool(x.detach().numpy(), rois.numpy(), outputs, group, scale)
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-12, atol=1e-12)


def test_conforms_and_regions_get_no_gradient() -> None:
    layer = make()
    (x,) = random_bottoms((2, 18, 6, 7))
    rois = torch.tensor(BOXES["inside"] + BOXES["halves"], dtype=torch.double)
    check_layer(layer, [x, rois], tops=[(4, 2, 3, 3)])
    rois.requires_grad_()

    layer(x, rois).sum().backward()

    assert rois.grad is None


def test_averages_in_float32_do_not_suffer_from_large_neighbours() -> None:
    x = torch.full((1, 1, 40, 50), 1e4)
    x[0, 0, -1, -1] = 0.1
    layer = make_layer(POOL.format(1, 1, 1), (1, 1, 40, 50), (1, 5)).float()

    assert layer(x, torch.tensor([[0.0, 49, 39, 49, 39]])).item() == pytest.approx(0.1, rel=1e-6)


def test_the_top_has_the_type_of_the_features() -> None:
    rois = torch.tensor(BOXES["inside"])

    assert make()(torch.zeros(2, 18, 6, 7).bfloat16(), rois).dtype == torch.bfloat16


def test_a_region_of_no_image_is_named_and_gives_nan() -> None:
    layer = make()
    (x,) = random_bottoms((2, 18, 6, 7))
    rois = torch.tensor([[0.0, 1, 1, 3, 3], [2, 0, 0, 3, 3]])

    with pytest.raises(LayerError, match=r"layer 'ps' \(PSROIPooling\): region 1 is of image 2"):
        layer.check(x, rois)
    y = layer(x, rois)

    assert y[1].isnan().all()
    assert y[0].isfinite().all()


@pytest.mark.parametrize(
    ("outputs", "group", "scale", "field"),
    [(0, 3, 1, "output_dim"), (2, -1, 1, "group_size"), (2, 3, 0, "spatial_scale")],
)
def test_settings_must_be_above_0(outputs: int, group: int, scale: float, field: str) -> None:
    with pytest.raises(LayerError, match=f"{field} is .*, must be above 0") as caught:
        make(outputs, group, scale)

    assert caught.value.field == f"psroi_pooling_param.{field}"


def test_channels_must_be_one_for_each_bin_of_each_output() -> None:
    text = "the features have 17 channels, must be 18: output_dim 2 times group_size 3 squared"
    with pytest.raises(LayerError, match=text):
        make_layer(POOL.format(2, 3, 1), (2, 17, 6, 7), (4, 5))
    with pytest.raises(LayerError, match=text):
        make()(torch.zeros(2, 17, 6, 7), torch.zeros(4, 5))


def test_regions_have_five_numbers() -> None:
    with pytest.raises(LayerError, match=r"the regions must have shape \(R, 5\)"):
        make_layer(POOL.format(2, 3, 1), (2, 18, 6, 7), (4, 4))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    layer = make()
    (x,) = random_bottoms((2, 18, 6, 7))
    rois = torch.tensor(BOXES["inside"] + BOXES["halves"]).double()

    y = torch.compile(layer, backend="aot_eager", fullgraph=True)(x, rois)

    torch.testing.assert_close(y, layer(x, rois))
