import numpy as np
import pytest
import torch

from caffepy.errors import LayerError
from caffepy.layers.layer import Layer, Shape
from tests.layers.conformance import check_layer, make_layer, random_bottoms

PROTOTXT = 'name: "bn" type: "BN" bn_param { %s } '
PSPNETS = 'slope_filler { type: "uniform" } bias_filler { type: "uniform" } eps: 0.5 momentum: 0.75'
SEGNETS = 'scale_filler { type: "uniform" } shift_filler { type: "uniform" } '


def numbers(layer: Layer) -> list[list[float]]:
    return [blob.flatten().tolist() for blob in layer.parameters()]


def normal(layer: Layer, x: torch.Tensor, eps: float) -> torch.Tensor:
    """x by its own statistics, with the layer's scale and shift."""
    axes = [axis for axis in range(x.dim()) if axis != 1]
    mean = x.mean(axes, keepdim=True)
    variance = (x - mean).square().mean(axes, keepdim=True)
    scale, shift = (blob.view(mean.shape) for blob in list(layer.parameters())[:2])
    return scale * (x - mean) / (variance + eps).sqrt() + shift


@pytest.mark.parametrize(
    ("options", "count"),
    [
        pytest.param("", 4, id="nothing"),
        pytest.param("bn_param { }", 4, id="no field"),
        pytest.param("bn_param { momentum: 0.9 }", 4, id="momentum"),
        pytest.param("bn_param { frozen: false }", 4, id="frozen"),
        pytest.param("bn_param { engine: CUDNN }", 4, id="engine"),
        pytest.param("bn_param { bn_mode: LEARN }", 2, id="bn_mode"),
        pytest.param("bn_param { scale_filler { value: 1 } }", 2, id="scale_filler"),
        pytest.param('top: "y" top: "mean"', 2, id="several tops"),
    ],
)
def test_the_fields_tell_whose_layer_it_is(options: str, count: int) -> None:
    layer = make_layer(f'name: "bn" type: "BN" {options}', (2, 3, 4, 5))

    assert [tuple(blob.shape) for blob in layer.parameters()] == [(1, 3, 1, 1)] * count


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 5)], ids=str)
@pytest.mark.parametrize("options", [PSPNETS, SEGNETS, SEGNETS + "bn_mode: INFERENCE"])
def test_conforms(options: str, shape: Shape, training: bool) -> None:
    layer = make_layer(PROTOTXT % options, shape, training=training)
    count = 4 if options == PSPNETS else 2
    check_layer(layer, random_bottoms(shape), tops=[shape], blobs=[(1, 3, 1, 1)] * count)


def test_pspnets_averages_biased_variances_in_training() -> None:
    layer = make_layer(PROTOTXT % PSPNETS, (2, 3, 4, 5), training=True)
    (x,) = random_bottoms((2, 3, 4, 5))
    expected = normal(layer, x, 0.5)
    with torch.no_grad():
        layer.get_parameter("mean").fill_(8)
        layer.get_parameter("variance").fill_(4)

    torch.testing.assert_close(layer(x), expected)

    for c in range(3):
        values = x[:, c].flatten().tolist()
        mean = sum(values) / 40
        variance = sum((value - mean) ** 2 for value in values) / 40
        assert numbers(layer)[2][c] == pytest.approx(0.75 * 8 + 0.25 * mean)
        assert numbers(layer)[3][c] == pytest.approx(0.75 * 4 + 0.25 * variance)


@pytest.mark.parametrize(
    ("options", "training"),
    [
        pytest.param("slope_filler { value: 3 } eps: 1", False, id="test"),
        pytest.param("slope_filler { value: 3 } eps: 1 frozen: true", True, id="frozen"),
    ],
)
def test_pspnets_uses_its_averages(options: str, training: bool) -> None:
    layer = make_layer(PROTOTXT % options, (2, 2), training=training)
    with torch.no_grad():
        layer.get_parameter("mean").copy_(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1))
        layer.get_parameter("variance").copy_(torch.tensor([3.0, 8.0]).view(1, 2, 1, 1))
    before = numbers(layer)

    y = layer(torch.tensor([[1.0, 2.0], [5.0, 8.0]], dtype=torch.double))

    torch.testing.assert_close(y.detach(), torch.tensor([[0, 0], [6, 6]]).double())
    assert numbers(layer) == before


@pytest.mark.parametrize(
    ("frozen", "rates", "learns"),
    [("false", [2, 1, 0, 0], True), ("true", [0, 0, 0, 0], False)],
    ids=["learning", "frozen"],
)
def test_the_rates_of_pspnets(frozen: str, rates: list[float], learns: bool) -> None:
    options = PROTOTXT % f"frozen: {frozen}" + "param { lr_mult: 2 }"
    layer = make_layer(options, (2, 3))

    assert [spec.lr_mult for spec in layer.param.param] == rates
    assert [blob.requires_grad for blob in layer.parameters()] == [learns, learns, False, False]
    assert numbers(layer)[2:] == [[0, 0, 0], [1.0 - learns] * 3]


def test_a_rate_for_an_average_of_pspnets_is_refused() -> None:
    params = "param { lr_mult: 1 } param { lr_mult: 1 } param { lr_mult: 1 }"

    with pytest.raises(LayerError, match=r"'bn'.*param 2 has lr_mult 1, must be 0"):
        make_layer(PROTOTXT % "momentum: 0.9" + params, (2, 3))


@pytest.mark.parametrize("training", [True, False], ids=["train", "test"])
def test_segnets_learns_by_the_batch_in_both_phases(training: bool) -> None:
    layer = make_layer(PROTOTXT % SEGNETS, (2, 3, 4, 5), training=training)
    (x,) = random_bottoms((2, 3, 4, 5))

    torch.testing.assert_close(layer(x), normal(layer, x, 1e-9))
    assert layer.param.param == []


def test_segnets_tells_the_batchs_statistics() -> None:
    layer = make_layer(PROTOTXT % SEGNETS + 'top: "y" top: "mean" top: "variance"', (2, 3, 4))
    (x,) = random_bottoms((2, 3, 4))

    y, mean, variance = layer(x)

    assert layer.top_shapes((2, 3, 4)) == [(2, 3, 4), (1, 3, 1, 1), (1, 3, 1, 1)]
    assert [top.requires_grad for top in (y, mean, variance)] == [True, False, False]
    for c in range(3):
        values = x[:, c].detach().numpy()
        assert mean[0, c].item() == pytest.approx(values.mean())
        assert variance[0, c].item() == pytest.approx(((values - values.mean()) ** 2).mean())


def test_segnets_in_inference_is_a_scale_and_a_shift() -> None:
    layer = make_layer(PROTOTXT % (SEGNETS + "bn_mode: INFERENCE"), (2, 3, 4))
    (x,) = random_bottoms((2, 3, 4))
    scale, shift = numbers(layer)

    y = layer(x)

    for n, c, p in np.ndindex(2, 3, 4):
        assert y[n, c, p].item() == pytest.approx(scale[c] * x[n, c, p].item() + shift[c])


@pytest.mark.parametrize(
    ("options", "text", "field"),
    [
        pytest.param(
            "bn_param { bn_mode: LEARN eps: 1 }",
            "bn_mode is of SegNet's BN and eps of PSPNet's",
            "bn_param.eps",
            id="both",
        ),
        pytest.param(
            'bn_param { eps: 1 } top: "y" top: "mean"',
            "has 2 tops, but only SegNet",
            "top",
            id="PSPNet's with 2 tops",
        ),
        pytest.param(
            'bn_param { bn_mode: INFERENCE } top: "y" top: "mean"',
            "has 2 tops",
            "top",
            id="no statistics to tell",
        ),
        pytest.param(
            "bn_param { slope_filler { type: 'x' } }", "", "bn_param.slope_filler.type", id="filler"
        ),
    ],
)
def test_errors_name_the_field(options: str, text: str, field: str) -> None:
    with pytest.raises(LayerError, match=f"'bn'.*{text}") as caught:
        make_layer(f'name: "bn" type: "BN" {options}', (2, 3, 4))

    assert caught.value.field == field


def test_another_batch_must_have_the_channels() -> None:
    layer = make_layer(PROTOTXT % "", (2, 3, 4))

    with pytest.raises(LayerError, match=r"\(2, 4, 4\), must have 3 channels on axis 1"):
        layer.top_shapes((2, 4, 4))
