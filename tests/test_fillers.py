import math

import pytest
import torch
from google.protobuf import text_format
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.fillers import fill
from caffepy.proto import FillerParameter

Shape = tuple[int, ...]


def filled(prototxt: str, shape: Shape) -> Tensor:
    """The filler of `filler { ... }`, without the braces, from a fixed seed."""
    torch.manual_seed(7)
    return fill(text_format.Parse(prototxt, FillerParameter()), shape)


@pytest.mark.parametrize(
    "prototxt",
    [
        "",
        'type: "constant" value: 3',
        'type: "uniform"',
        'type: "gaussian"',
        'type: "gaussian" sparse: 2',
        'type: "positive_unitball"',
        'type: "xavier"',
        'type: "msra"',
        'type: "bilinear"',
    ],
)
def test_every_filler_makes_contiguous_single_floats(prototxt: str) -> None:
    weights = filled(prototxt, (2, 3, 4, 4))

    assert weights.shape == (2, 3, 4, 4)
    assert weights.dtype == torch.float32
    assert weights.is_contiguous()
    assert torch.equal(weights, filled(prototxt, (2, 3, 4, 4)))


@pytest.mark.parametrize("kind", ["constant", "uniform", "gaussian", "xavier", "msra"])
@pytest.mark.parametrize("shape", [(), (5,), (5, 3), (5, 3, 2), (5, 3, 2, 4, 6)], ids=str)
def test_any_number_of_axes(kind: str, shape: Shape) -> None:
    weights = filled(f'type: "{kind}"', shape)

    assert weights.shape == shape
    assert weights.isfinite().all()


def test_an_empty_filler_fills_with_zeros() -> None:
    assert filled("", (3, 4)).tolist() == [[0] * 4] * 3


def test_constant() -> None:
    assert filled('type: "constant" value: 0.25', (2, 3)).tolist() == [[0.25] * 3] * 2


def test_uniform_covers_min_to_max() -> None:
    weights = filled('type: "uniform" min: -1 max: 3', (200, 300))

    assert -1 <= weights.min() < -0.99
    assert 2.99 < weights.max() <= 3
    assert weights.mean().item() == pytest.approx(1, abs=0.02)


def test_uniform_is_from_0_to_1_unless_told() -> None:
    weights = filled('type: "uniform"', (200, 300))

    assert 0 <= weights.min() < 0.01
    assert 0.99 < weights.max() <= 1


def test_gaussian_has_its_mean_and_deviation() -> None:
    weights = filled('type: "gaussian" mean: 2 std: 0.5', (200, 300))

    assert weights.mean().item() == pytest.approx(2, abs=0.01)
    assert weights.std().item() == pytest.approx(0.5, rel=0.02)
    assert ((weights - 2).abs() < 0.5).float().mean().item() == pytest.approx(0.683, abs=0.01)


@pytest.mark.parametrize(("sparse", "share"), [(0, 0), (20, 0.05), (400, 1)])
def test_sparse_keeps_that_many_weights_of_each_input(sparse: int, share: float) -> None:
    weights = filled(f'type: "gaussian" std: 2 sparse: {sparse}', (400, 300))

    kept = weights[weights != 0]
    assert len(kept) / weights.numel() == pytest.approx(share, abs=0.003)
    if share:
        assert kept.std().item() == pytest.approx(2, rel=0.05)


def test_positive_unitball_sums_to_one_in_each_item() -> None:
    weights = filled('type: "positive_unitball"', (5, 3, 4))

    assert (weights > 0).all()
    torch.testing.assert_close(weights.sum((1, 2)), torch.ones(5))


@pytest.mark.parametrize(
    ("norm", "fan"),
    [
        pytest.param("", 3 * 2 * 4, id="fan-in unless told"),
        pytest.param("variance_norm: FAN_IN", 3 * 2 * 4, id="fan-in"),
        pytest.param("variance_norm: FAN_OUT", 500 * 2 * 4, id="fan-out"),
        pytest.param("variance_norm: AVERAGE", (3 * 8 + 500 * 8) / 2, id="average"),
    ],
)
def test_xavier_and_msra_are_scaled_by_the_fan(norm: str, fan: float) -> None:
    xavier = filled(f'type: "xavier" {norm}', (500, 3, 2, 4))
    msra = filled(f'type: "msra" {norm}', (500, 3, 2, 4))

    bound = math.sqrt(3 / fan)
    assert -bound <= xavier.min() < -0.99 * bound
    assert 0.99 * bound < xavier.max() <= bound
    assert xavier.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert msra.mean().item() == pytest.approx(0, abs=0.05 * math.sqrt(2 / fan))
    assert msra.std().item() == pytest.approx(math.sqrt(2 / fan), rel=0.03)


@pytest.mark.parametrize(("norm", "fan"), [("FAN_IN", 1), ("FAN_OUT", 5000), ("AVERAGE", 5001 / 2)])
def test_one_axis_has_a_fan_in_of_1_and_a_fan_out_of_all(norm: str, fan: float) -> None:
    weights = filled(f'type: "msra" variance_norm: {norm}', (5000,))

    assert weights.std().item() == pytest.approx(math.sqrt(2 / fan), rel=0.05)


@pytest.mark.parametrize(
    ("size", "side"),
    [
        pytest.param(4, [0.25, 0.75, 0.75, 0.25], id="even"),  # f = 2, c = 3/4
        pytest.param(3, [0.5, 1, 0.5], id="odd"),  # f = 2, c = 1/2
        pytest.param(1, [1], id="one"),  # f = 1, c = 0
    ],
)
def test_bilinear_is_a_pyramid_in_every_plane(size: int, side: list[float]) -> None:
    weights = filled('type: "bilinear"', (2, 3, size, size))

    line = torch.tensor(side, dtype=torch.float32)
    torch.testing.assert_close(weights, torch.outer(line, line).repeat(2, 3, 1, 1))


@pytest.mark.parametrize(
    ("prototxt", "shape", "field", "text"),
    [
        pytest.param(
            'type: "gausian"', (2, 3), "type", "'gausian'; did you mean 'gaussian'", id="misspelt"
        ),
        pytest.param('type: "Xavier"', (2, 3), "type", "constant, uniform, gaussian", id="case"),
        pytest.param(
            'type: "xavier" sparse: 2', (2, 3), "sparse", "only a gaussian .* xavier", id="sparse"
        ),
        pytest.param(
            'type: "gaussian" sparse: 3', (2, 4), "sparse", "sparse is 3, .* 0 to 2", id="dense"
        ),
        pytest.param('type: "gaussian" sparse: -2', (2, 3), "sparse", "sparse is -2", id="below"),
        pytest.param('type: "gaussian" std: 0', (2, 3), "std", "std is 0, .* above 0", id="std"),
        pytest.param('type: "uniform" min: 2', (2, 3), "min", "min is 2, above max", id="min"),
        pytest.param('type: "bilinear"', (2, 3, 4), "type", r"4 axes .* \(2, 3, 4\)", id="axes"),
        pytest.param('type: "bilinear"', (2, 3, 4, 5), "type", "square planes", id="oblong"),
    ],
)
def test_errors_name_the_field(prototxt: str, shape: Shape, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=text) as caught:
        filled(prototxt, shape)

    assert caught.value.field == field


def test_a_blob_has_as_many_numbers_as_an_int_counts() -> None:
    message = r"^blob size exceeds INT_MAX: shape \(65536, 32768\) has 2147483648 numbers, "

    with pytest.raises(LayerError, match=message):
        filled("", (65536, 32768))
