import math
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray
from torch import Tensor

from caffepy.errors import LayerError
from caffepy.graph.load import load_graph
from caffepy.layers.layer import Layer, Shape
from caffepy.net.build import build_net
from caffepy.proto import TEST, DetectionOutputParameter, NetState, PriorBoxParameter
from tests.layers.conformance import make_layer

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
OUTPUT = 'name: "found" type: "DetectionOutput" detection_output_param {{ {} }}'


def make(options: str, *shapes: Shape) -> Layer:
    return make_layer(OUTPUT.format(options), *shapes)


def run(options: str, *bottoms: Tensor) -> list[list[float]]:
    """The rows found, of a layer made for these bottoms."""
    layer = make(options, *(tuple(bottom.shape) for bottom in bottoms))
    layer.check(*bottoms)
    top = layer(*bottoms)
    assert top.shape == (1, 1, top.shape[2], 7)
    rows: list[list[float]] = top[0, 0].tolist()
    return rows


def overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0
    both = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (both - width * height)


def decoded(code: Floats, prior: Floats, code_type: PriorBoxParameter.CodeType) -> Box:
    w, h = prior[2] - prior[0], prior[3] - prior[1]
    if code_type == PriorBoxParameter.CORNER:
        x1, y1, x2, y2 = prior + code
    elif code_type == PriorBoxParameter.CORNER_SIZE:
        x1, y1, x2, y2 = prior + code * [w, h, w, h]
    else:
        x = (prior[0] + prior[2]) / 2 + code[0] * w
        y = (prior[1] + prior[3]) / 2 + code[1] * h
        w, h = w * math.exp(code[2]), h * math.exp(code[3])
        x1, y1, x2, y2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    return x1, y1, x2, y2


def ssd(options: str, locations: Floats, scores: Floats, priors: Floats) -> list[list[float]]:
    """SSD's loops; locations (N, P, L, 4), scores (N, P, C), priors (2, P, 4)."""
    param = text_format.Parse(options, DetectionOutputParameter())
    rows = []
    for image, by_prior in enumerate(scores):
        found: list[tuple[float, int, Box]] = []
        for label in set(range(param.num_classes)) - {param.background_label_id}:
            candidates = [
                (score, index)
                for index, score in enumerate(by_prior[:, label])
                if not param.HasField("confidence_threshold") or score > param.confidence_threshold
            ]
            candidates.sort(key=lambda each: -each[0])
            if param.nms_param.HasField("top_k") and param.nms_param.top_k >= 0:
                candidates = candidates[: param.nms_param.top_k]
            limit, kept = param.nms_param.nms_threshold, list[Box]()
            for score, index in candidates:
                code = locations[image, index, 0 if param.share_location else label]
                code = code if param.variance_encoded_in_target else code * priors[1, index]
                box = decoded(code, priors[0, index], param.code_type)
                if all(overlap(box, other) <= limit for other in kept):
                    kept.append(box)
                    found.append((score, label, box))
                    limit *= param.nms_param.eta if limit > 0.5 else 1
        if param.keep_top_k >= 0:
            found = sorted(found, key=lambda each: -each[0])[: param.keep_top_k]
        found.sort(key=lambda each: (each[1], -each[0]))
        rows += [[image, label, score, *box] for score, label, box in found]
    return rows or [[float(image)] + [-1.0] * 6 for image in range(len(scores))]


SSD300 = """num_classes: 5 share_location: true background_label_id: 0 code_type: CENTER_SIZE
keep_top_k: 9 confidence_threshold: 0.01 nms_param { nms_threshold: 0.45 top_k: 12 }"""


@pytest.mark.parametrize(
    "options",
    [
        pytest.param("num_classes: 5", id="defaults"),
        pytest.param(SSD300, id="as SSD has it"),
        pytest.param("num_classes: 5 code_type: CENTER_SIZE", id="CENTER_SIZE"),
        pytest.param("num_classes: 5 code_type: CORNER_SIZE", id="CORNER_SIZE"),
        pytest.param("num_classes: 5 variance_encoded_in_target: true", id="encoded, CORNER"),
        pytest.param(
            "num_classes: 5 variance_encoded_in_target: true code_type: CENTER_SIZE",
            id="encoded, CENTER_SIZE",
        ),
        pytest.param("num_classes: 5 share_location: false", id="locations by class"),
        pytest.param("num_classes: 5 share_location: false background_label_id: 3", id="class 3"),
        pytest.param("num_classes: 5 background_label_id: -1", id="no background"),
        pytest.param("num_classes: 5 background_label_id: 7", id="a background beyond the classes"),
        pytest.param("num_classes: 5 confidence_threshold: 0.7", id="confidence_threshold"),
        pytest.param("num_classes: 5 keep_top_k: 4", id="keep_top_k"),
        pytest.param("num_classes: 5 keep_top_k: 4000", id="keep_top_k above what there is"),
        pytest.param("num_classes: 5 nms_param { top_k: 3 }", id="top_k"),
        pytest.param("num_classes: 5 nms_param { top_k: -1 }", id="top_k of all"),
        pytest.param("num_classes: 5 nms_param { nms_threshold: 0.1 }", id="nms_threshold"),
        pytest.param("num_classes: 5 nms_param { nms_threshold: 0.9 eta: 0.8 }", id="eta"),
        pytest.param("num_classes: 5 confidence_threshold: 1", id="nothing found"),
        pytest.param("num_classes: 5 nms_param { top_k: 0 }", id="nothing looked at"),
        pytest.param("num_classes: 5 keep_top_k: 0", id="nothing kept"),
    ],
)
def test_rows_are_ssds(options: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images, count, classes = 3, 40, 5
    each = classes if "share_location: false" in options else 1
    locations = torch.randn(images, count * each * 4, dtype=torch.double, generator=generator)
    scores = torch.rand(images, count * classes, dtype=torch.double, generator=generator)
    corners = torch.rand(count, 2, dtype=torch.double, generator=generator)
    boxes = torch.cat((corners, corners + 0.4), 1)
    variances = torch.tensor([0.1, 0.1, 0.2, 0.2]).double().expand(count, 4)
    priors = torch.stack((boxes, variances))

    rows = run(options, locations, scores, priors.reshape(1, 2, -1))

    expected = ssd(
        options,
        locations.reshape(images, count, each, 4).numpy(),
        scores.reshape(images, count, classes).numpy(),
        priors.numpy(),
    )
    np.testing.assert_allclose(rows, expected, rtol=1e-12)


# Four priors: two that overlap by 3/5, one that overlaps both by less than 1/4, and one apart.
PRIORS = torch.tensor(
    [
        [0.0, 0.0, 0.4, 0.4],
        [0.1, 0.0, 0.5, 0.4],
        [0.3, 0.0, 0.7, 0.4],
        [0.6, 0.6, 0.9, 0.9],
    ]
)


def example(*scores: list[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Bottoms whose boxes are the priors; by image, the scores of background and class 1 in turn."""
    variances = torch.full((4, 4), 0.1)
    priors = torch.stack((PRIORS, variances)).view(1, 2, 16)
    return torch.zeros(len(scores), 16), torch.tensor(scores), priors


def summary(rows: list[list[float]]) -> list[tuple[int, int, float, int]]:
    """Image, class, score, and which prior the box is."""
    boxes = [[round(side, 3) for side in prior] for prior in PRIORS.tolist()]
    return [
        (int(row[0]), int(row[1]), round(row[2], 3), boxes.index([round(x, 3) for x in row[3:]]))
        for row in rows
    ]


def test_of_boxes_that_overlap_the_best_is_kept() -> None:
    bottoms = example([0.1, 0.8, 0.1, 0.9, 0.3, 0.7, 0.4, 0.6])

    # The second is best, and drops the first. The third overlaps the second by 1/3.
    rows = run("num_classes: 2 nms_param { nms_threshold: 0.5 }", *bottoms)
    assert summary(rows) == [(0, 1, 0.9, 1), (0, 1, 0.7, 2), (0, 1, 0.6, 3)]
    rows = run("num_classes: 2", *bottoms)
    assert summary(rows) == [(0, 1, 0.9, 1), (0, 1, 0.6, 3)]
    rows = run("num_classes: 2 nms_param { nms_threshold: 0.65 }", *bottoms)
    assert summary(rows) == [(0, 1, 0.9, 1), (0, 1, 0.8, 0), (0, 1, 0.7, 2), (0, 1, 0.6, 3)]


def test_what_is_not_looked_at_does_not_drop_others() -> None:
    bottoms = example([0.1, 0.8, 0.1, 0.9, 0.3, 0.7, 0.4, 0.6])

    rows = run("num_classes: 2 nms_param { top_k: 2 }", *bottoms)
    assert summary(rows) == [(0, 1, 0.9, 1)]
    rows = run("num_classes: 2 confidence_threshold: 0.8", *bottoms)
    assert summary(rows) == [(0, 1, 0.9, 1)]


def test_the_best_of_all_classes_are_kept_in_order_of_class() -> None:
    bottoms = example([0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.9, 0.8])

    rows = run("num_classes: 2 background_label_id: -1 keep_top_k: 3", *bottoms)

    assert summary(rows) == [(0, 0, 0.9, 3), (0, 0, 0.3, 0), (0, 1, 0.8, 3)]


def test_of_equal_scores_the_first_prior_is_better() -> None:
    rows = run("num_classes: 2", *example([0.5] * 8))

    assert summary(rows) == [(0, 1, 0.5, 0), (0, 1, 0.5, 2), (0, 1, 0.5, 3)]


def test_an_image_in_which_nothing_is_found_has_no_row_unless_all_are_so() -> None:
    bottoms = example([0.0] * 8, [0, 0.2] + [0.0] * 6, [0.0] * 8)

    assert summary(run("num_classes: 2 confidence_threshold: 0.1", *bottoms)) == [(1, 1, 0.2, 0)]
    rows = run("num_classes: 2 confidence_threshold: 0.3", *bottoms)
    assert rows == [[float(image)] + [-1.0] * 6 for image in range(3)]


def test_a_score_that_is_nan_is_not_above_the_threshold() -> None:
    rows = run("num_classes: 2", *example([0.5, math.nan] + [0.5, 0.2] * 3))

    assert summary(rows) == [(0, 1, 0.2, 1), (0, 1, 0.2, 3)]


def test_boxes_are_not_cut_off_at_the_image() -> None:
    locations, scores, priors = example([0.0, 0.5] + [0.0] * 6)
    locations[0, 0] = -20

    (row,) = run("num_classes: 2 confidence_threshold: 0.1", locations, scores, priors)

    assert row[3] == pytest.approx(-2)


def test_bottoms_may_have_axes_of_one_and_get_no_gradient() -> None:
    locations, scores, priors = example([0.1, 0.8, 0.1, 0.9, 0.3, 0.7, 0.4, 0.6])
    layer = make("num_classes: 2", (1, 16, 1, 1), (1, 8, 1, 1), (1, 2, 16))
    locations.requires_grad_()

    top = layer(locations[:, :, None, None], scores[:, :, None, None], priors)

    assert torch.equal(top, layer(locations, scores, priors))
    assert not top.requires_grad


def test_numbers_of_few_bits_give_boxes_in_float32() -> None:
    locations, scores, priors = example([0.1, 0.8] * 4)

    top = make("num_classes: 2", (1, 16), (1, 8), (1, 2, 16))(
        locations.bfloat16(), scores.bfloat16(), priors
    )

    assert top.dtype == torch.float32
    assert top[0, 0, 0, 3:].tolist() == PRIORS[0].tolist()


def test_the_top_is_one_box_until_the_first_run() -> None:
    layer = make("num_classes: 2", (3, 16), (3, 8), (1, 2, 16))

    assert layer.top_shapes((3, 16), (3, 8), (1, 2, 16)) == [(1, 1, 1, 7)]


NET = """
layer { name: "in" type: "Input" top: "loc" top: "conf" top: "priors"
  input_param { shape { dim: 1 dim: 16 } shape { dim: 1 dim: 8 } shape { dim: 1 dim: 2 dim: 16 } } }
layer { name: "out" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors" top: "out"
  detection_output_param { num_classes: 2 code_type: CENTER_SIZE } }
"""


def test_a_net_ends_in_as_many_rows_as_are_found(tmp_path: Path) -> None:
    path = tmp_path / "deploy.prototxt"
    path.write_text(NET)
    net = build_net(load_graph(path, NetState(phase=TEST)))
    locations, scores, priors = example([0.1, 0.8, 0.1, 0.9, 0.3, 0.7, 0.4, 0.6])

    assert net.shapes["out"] == (1, 1, 1, 7)
    assert net(loc=locations, conf=scores, priors=priors)["out"].shape == (1, 1, 2, 7)


@pytest.mark.parametrize("code_type", ["CENTER_SIZE", "CORNER_SIZE"])
def test_a_prior_without_sides_is_refused_where_they_are_the_unit(code_type: str) -> None:
    _, _, priors = example([0.0] * 8)
    priors[0, 0, 6] = 0.1
    bottoms = torch.zeros(1, 16), torch.zeros(1, 8), priors
    shapes = (1, 16), (1, 8), (1, 2, 16)

    with pytest.raises(LayerError, match=r"prior 1 is the box \(0.1.*, 0, 0.1.*, 0.4.*\); with"):
        make(f"num_classes: 2 code_type: {code_type}", *shapes).check(*bottoms)
    make("num_classes: 2", *shapes).check(*bottoms)


@pytest.mark.parametrize(
    ("options", "field", "text"),
    [
        ("", "num_classes", "num_classes must be set"),
        (
            "num_classes: 2 nms_param { nms_threshold: -0.5 }",
            "nms_param.nms_threshold",
            "nms_threshold is -0.5, must be 0 or more",
        ),
        ("num_classes: 2 nms_param { eta: 0 }", "nms_param.eta", "eta is 0, must be above 0"),
        ("num_classes: 2 nms_param { eta: 1.5 }", "nms_param.eta", "eta is 1.5, must be above 0"),
        (
            "num_classes: 2 save_output_param { output_directory: 'results' output_format: 'VOC' }",
            "save_output_param.output_directory",
            "output_directory is 'results', but nothing is written to files here, .*: leave out",
        ),
        ("num_classes: 2 visualize: true", "visualize", "visualize is true, but nothing is drawn"),
    ],
)
def test_settings_that_cannot_be(options: str, field: str, text: str) -> None:
    with pytest.raises(LayerError, match=rf"'found' \(DetectionOutput\): {text}") as caught:
        make(options, (1, 16), (1, 8), (1, 2, 16))

    assert caught.value.field == f"detection_output_param.{field}"


def test_what_only_goes_with_files_is_passed_over_without_them() -> None:
    options = "save_output_param { label_map_file: 'map' } visualize_threshold: 0.6 save_file: 'f'"
    bottoms = example([0.1, 0.8] * 4)

    assert run(f"num_classes: 2 {options}", *bottoms) == run("num_classes: 2", *bottoms)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        (((1, 16), (1, 8), (2, 16)), r"the priors must have shape \(1, 2, 4 P\), .*\(2, 16\)"),
        (((1, 16), (1, 8), (1, 1, 16)), r"the priors must have shape .*\(1, 1, 16\)"),
        (((1, 16), (1, 8), (1, 2, 15)), r"the priors must have shape .*\(1, 2, 15\)"),
        (
            ((1, 12), (1, 8), (1, 2, 16)),
            r"4 priors take locations of shape \(1, 16\), 4 a prior; t",
        ),
        (((2, 16), (1, 8), (1, 2, 16)), r"4 priors take locations .* their shape is \(2, 16\)"),
        (
            ((1, 16), (1, 9), (1, 2, 16)),
            r"4 priors take scores of shape \(1, 8\), 2 a prior; their",
        ),
    ],
    ids=str,
)
def test_shapes_are_checked_when_built_and_when_run(shapes: tuple[Shape, ...], text: str) -> None:
    with pytest.raises(LayerError, match=text):
        make("num_classes: 2", *shapes)
    layer = make("num_classes: 2", (1, 16), (1, 8), (1, 2, 16))
    with pytest.raises(LayerError, match=text):
        layer(*(torch.zeros(shape) for shape in shapes))
