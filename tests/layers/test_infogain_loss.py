import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from caffepy.errors import LayerError
from caffepy.layers.layer import Shape
from caffepy.proto import BlobProto
from caffepy.proto.arrays import to_blob
from caffepy.proto.files import write_binary
from tests.layers.conformance import check_layer, make_layer, random_bottoms

LOSS = 'name: "loss" type: "InfogainLoss" top: "loss" '
H = torch.arange(25.0).reshape(5, 5).sub(7).div(10).double()


def costs_of(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each place's cost by H, classes along the last axis, one place and class after the other."""
    costs = np.zeros(labels.shape)
    for place in np.ndindex(labels.shape):
        exponentials = [math.exp(score) for score in scores[place]]
        for index, exponential in enumerate(exponentials):
            gain = H[labels[place], index].item()
            costs[place] -= gain * math.log(exponential / sum(exponentials))
    return costs


def write_matrix(path: Path, matrix: torch.Tensor = H, legacy: bool = False) -> str:
    blob = to_blob(matrix.numpy().astype(np.float32))
    if legacy:
        blob = BlobProto(num=1, channels=1, height=5, width=5, data=matrix.flatten().tolist())
    write_binary(path, blob)
    return f'infogain_loss_param {{ source: "{path}" }}'


@pytest.mark.parametrize("shape", [(5, 5), (1, 1, 5, 5), (25,)], ids=str)
@pytest.mark.parametrize(
    ("option", "axis", "scores", "labels"),
    [
        pytest.param("", 1, (6, 5), (6,), id="one axis"),
        pytest.param("", 1, (2, 5, 3, 4), (2, 1, 3, 4), id="spatial"),
        pytest.param("infogain_loss_param { axis: -2 }", 2, (2, 3, 5, 4), (2, 12), id="axis -2"),
    ],
)
def test_value_is_the_mean_cost_by_the_rows_of_the_matrix(
    option: str, axis: int, scores: Shape, labels: Shape, shape: Shape
) -> None:
    layer = make_layer(LOSS + option, scores, labels, shape)
    (x,) = random_bottoms(scores)
    y = torch.randint(5, labels).double()
    check_layer(layer, [x, y, H.reshape(shape)], tops=[()])
    lines = np.moveaxis(x.detach().numpy(), axis, -1)
    expected = costs_of(lines, y.numpy().astype(np.int64).reshape(lines.shape[:-1])).mean()

    np.testing.assert_allclose(layer(x, y, H.reshape(shape)).detach(), expected, rtol=1e-12)


@pytest.mark.parametrize("legacy", [False, True])
def test_the_matrix_may_be_in_a_file(tmp_path: Path, legacy: bool) -> None:
    source = write_matrix(tmp_path / "H.binaryproto", legacy=legacy)
    layer = make_layer(LOSS + source, (6, 5), (6,))
    (x,) = random_bottoms((6, 5))
    y = torch.tensor([0.0, 1, 2, 3, 4, 1])

    check_layer(layer, [x, y], tops=[()])
    loss = layer(x, y)

    expected = make_layer(LOSS, (6, 5), (6,), (5, 5))(x, y, H)
    np.testing.assert_allclose(loss.detach(), expected.detach(), rtol=1e-6)
    assert not layer.state_dict()


@pytest.mark.parametrize(
    ("option", "divisor"),
    [
        pytest.param("", 18, id="default is VALID"),
        pytest.param("normalization: FULL", 24, id="FULL"),
        pytest.param("normalization: BATCH_SIZE", 2, id="BATCH_SIZE"),
        pytest.param("normalization: NONE", 1, id="NONE"),
    ],
)
def test_ignored_items_cost_nothing_and_the_sum_is_normalized(option: str, divisor: int) -> None:
    prototxt = LOSS + f"loss_param {{ ignore_label: 2 {option} }}"
    layer = make_layer(prototxt, (2, 5, 3, 4), (2, 3, 4), (5, 5))
    (x,) = random_bottoms((2, 5, 3, 4))
    labels = np.array([2, 0, 1, 3] * 6).reshape(2, 3, 4)
    y = torch.from_numpy(labels)
    costs = costs_of(np.moveaxis(x.detach().numpy(), 1, -1), labels)

    loss = layer(x, y, H)
    loss.backward()

    np.testing.assert_allclose(loss.detach(), costs[labels != 2].sum() / divisor, rtol=1e-12)
    assert x.grad is not None
    assert not x.grad.movedim(1, -1)[y == 2].any()


def test_class_weights_multiply_the_costs_of_the_items() -> None:
    weights = "class_weight: 2 class_weight: 0.5 class_weight: 0 class_weight: 1 class_weight: 3"
    layer = make_layer(LOSS + f"loss_param {{ {weights} }}", (6, 5), (6,), (5, 5))
    (x,) = random_bottoms((6, 5))
    labels = np.array([0, 1, 2, 3, 4, 1])
    costs = costs_of(x.detach().numpy(), labels)

    loss = layer(x, torch.from_numpy(labels), H)

    expected = (costs * np.array([2, 0.5, 0, 1, 3])[labels]).sum() / 6
    np.testing.assert_allclose(loss.detach(), expected, rtol=1e-12)


def test_value_is_capped_while_the_gradient_is_exact() -> None:
    layer = make_layer(LOSS, (2, 3), (2,), (3, 3)).float()
    x = torch.tensor([[500.0, 0, 0], [0, 500, 0]], requires_grad=True)
    y = torch.tensor([1.0, 2.0], requires_grad=True)
    h = torch.tensor([[9.0, 9, 9], [1, 2, 4], [0, 8, 1]], requires_grad=True)

    loss = layer(x, y, h)
    loss.backward()

    # p is 1, 0, 0 and 0, 1, 0; only what is 0 costs, -log of 1e-20 each.
    assert loss.item() == pytest.approx(-math.log(1e-20) * (2 + 4 + 0 + 1) / 2)
    assert x.grad is not None
    assert x.grad.tolist() == [[(7 - 1) / 2, -1, -2], [0, (9 - 8) / 2, -0.5]]
    assert y.grad is None
    assert h.grad is None


def test_the_second_top_is_the_probabilities() -> None:
    layer = make_layer(LOSS + 'top: "prob"', (2, 5, 3), (2, 3), (5, 5))
    (x,) = random_bottoms((2, 5, 3))
    y = torch.tensor([[0.0, 1, 2], [3, 4, 0]])
    check_layer(layer, [x, y, H], tops=[(), (2, 5, 3)])

    loss, prob = layer(x, y, H)

    exponentials = np.exp(x.detach().numpy())
    expected = exponentials / exponentials.sum(1, keepdims=True)
    np.testing.assert_allclose(prob.detach(), expected, rtol=1e-12)
    assert loss == make_layer(LOSS, (2, 5, 3), (2, 3), (5, 5))(x, y, H)


def test_a_label_of_no_class_is_named_and_makes_the_loss_nan() -> None:
    layer = make_layer(LOSS + "loss_param { ignore_label: 9 }", (3, 5), (3,), (5, 5))
    (x,) = random_bottoms((3, 5))
    wrong = torch.tensor([0.0, 9.0, 7.0])

    layer.check(x, torch.tensor([0.0, 9.0, 4.0]), H)
    with pytest.raises(LayerError, match=r"\(InfogainLoss\): the label of item 2 is 7; allowed"):
        layer.check(x, wrong, H)
    assert layer(x, wrong, H).isnan()


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("normalize: true", "normalize is not for this layer; say normalization: VALID or"),
        ("label_smoothing: 0.1", "label_smoothing is not for this layer; H says"),
    ],
)
def test_fields_of_other_losses_are_refused(field: str, text: str) -> None:
    with pytest.raises(LayerError, match=text) as caught:
        make_layer(LOSS + f"loss_param {{ {field} }}", (2, 5), (2,), (5, 5))

    assert caught.value.field == f"loss_param.{field.partition(':')[0]}"


def test_a_matrix_of_another_size_is_refused_when_built_and_when_run(tmp_path: Path) -> None:
    source = write_matrix(tmp_path / "H.binaryproto")
    text = r"H of shape \(5, 5\) has 25 numbers; .*\(2, 4\), with 4 classes along axis 1, need 16"
    with pytest.raises(LayerError, match=text) as caught:
        make_layer(LOSS + source, (2, 4), (2,))
    assert caught.value.field == "infogain_loss_param.source"
    with pytest.raises(LayerError, match=text):
        make_layer(LOSS, (2, 4), (2,), (5, 5))
    layer = make_layer(LOSS + source, (2, 5), (2,))
    with pytest.raises(LayerError, match=text):
        layer(torch.zeros(2, 4), torch.zeros(2))


def test_a_matrix_that_is_nowhere_is_missed() -> None:
    with pytest.raises(LayerError, match=r"'loss' .*: H is missing: give source, a binaryproto"):
        make_layer(LOSS, (2, 5), (2,))


def test_a_file_that_cannot_be_read_is_named_with_its_layer(tmp_path: Path) -> None:
    (tmp_path / "H.binaryproto").write_bytes(b"")
    for name, text in (("H.binaryproto", "the file is empty"), ("G.binaryproto", "cannot read")):
        source = f'infogain_loss_param {{ source: "{tmp_path / name}" }}'
        with pytest.raises(LayerError, match=rf"'loss' .*source: .*{text}") as caught:
            make_layer(LOSS + source, (2, 5), (2,))
        assert caught.value.field == "infogain_loss_param.source"


def test_a_file_beside_a_third_bottom_is_not_read_which_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        make_layer(LOSS + 'infogain_loss_param { source: "none" }', (2, 5), (2,), (5, 5))

    assert "layer 'loss': H is its third bottom, infogain_loss_param.source is not" in caplog.text


def test_labels_weights_and_axes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(LayerError, match="Number of labels must match number of predictions"):
        make_layer(LOSS, (6, 5), (4,), (5, 5))
    with pytest.raises(LayerError, match=r"\(2, 5, 3\) and .* \(3, 2\) differ in their first axis"):
        make_layer(LOSS, (2, 5, 3), (3, 2), (5, 5))
    with pytest.raises(LayerError, match="1 class_weights are given for 5 classes"):
        make_layer(LOSS + "loss_param { class_weight: 1 }", (2, 5), (2,), (5, 5))
    with pytest.raises(LayerError, match=r"infogain_loss_param.axis is 2"):
        make_layer(LOSS + "infogain_loss_param { axis: 2 }", (2, 5), (2,), (5, 5))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    layer = make_layer(LOSS + 'top: "prob" loss_param { ignore_label: 1 }', (3, 5), (3,), (5, 5))
    (x,) = random_bottoms((3, 5))
    y = torch.tensor([0.0, 1.0, 2.0])

    tops = torch.compile(layer, backend="aot_eager", fullgraph=True)(x, y, H)

    for top, expected in zip(tops, layer(x, y, H), strict=True):
        assert torch.isclose(top, expected).all()
