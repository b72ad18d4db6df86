"""PriorBox: SSD's boxes to start from, the same around each element of a plane."""

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter

SAME = 1e-6  # aspect ratios closer than this are one


def distinct_ratios(given: Iterable[float], *, flip: bool) -> list[float]:
    """1, then the ratios that are not there yet, each followed by its inverse if `flip`."""
    ratios = [1.0]
    for ratio in given:
        if all(abs(ratio - other) >= SAME for other in ratios):
            ratios += [ratio, 1 / ratio] if flip else [ratio]
    return ratios


def box_sides(low: int, high: int | None, ratios: Iterable[float]) -> list[tuple[float, float]]:
    """Widths and heights of the boxes around one element.

    A square of side `low`; one of side sqrt(low high), unless `high` is None; and one of the first
    one's area for each ratio of width to height but 1.
    """
    squares = [float(low)] if high is None else [float(low), math.sqrt(low * high)]
    roots = [math.sqrt(ratio) for ratio in ratios if abs(ratio - 1) >= SAME]
    return [(side, side) for side in squares] + [(low * root, low / root) for root in roots]


@register("PriorBox")
class PriorBox(Layer):
    """Boxes of several sizes and shapes around the centre of each element's part of the image.

    Their sides in pixels, for each `min_size`, fractions cut off: a square of that side; where
    there is a `max_size`, cut off too, one of side sqrt(min max); and min sqrt(a) by min / sqrt(a)
    for each aspect ratio a. The centre for element (h, w) is at ((w + offset) step_w,
    (h + offset) step_h); a step that is not set is image / plane.

    Bottom:  x (N, C, H, W); images (N, C, height, width), whose size counts unless `img_size`, or
             `img_h` and `img_w`, are set. They get no gradient.
    Top:     (1, 2, H W P 4) for P boxes an element: xmin, ymin, xmax, ymax of each box, as parts of
             the image's width and height; and, second, the variance of each of these.
    Source:  Liu et al., "SSD"; caffe (weiliu89, branch ssd)/src/caffe/layers/prior_box_layer.cpp
    """

    sides: Tensor
    variances: Tensor

    def __init__(self, param: LayerParameter, features: Shape, images: Shape) -> None:
        super().__init__(param)
        prior = param.prior_box_param
        self.clip, self.offset = prior.clip, prior.offset
        self.size = self._pair("img_size", "img_h", "img_w")
        self.step = self._pair("step", "step_h", "step_w")
        self.register_buffer("sides", torch.tensor(self._sides()), persistent=False)
        self.register_buffer("variances", torch.tensor(self._variances()), persistent=False)
        self._require_shapes(features, images)

    def forward(self, x: Tensor, images: Tensor) -> Tensor:
        self._require_shapes(tuple(x.shape), tuple(images.shape))
        rows, columns = x.shape[2:]
        height, width = images.shape[2:] if self.size is None else self.size
        step = (height / rows, width / columns) if self.step is None else self.step
        half_width, half_height = (self.sides.double() / 2).unbind(1)
        x_centre = self._centres(columns, step[1])[:, None]
        y_centre = self._centres(rows, step[0])[:, None, None]
        corners = (
            (x_centre - half_width) / width,
            (y_centre - half_height) / height,
            (x_centre + half_width) / width,
            (y_centre + half_height) / height,
        )
        shape = (rows, columns, len(half_width))
        boxes = torch.stack([corner.expand(shape) for corner in corners], 3)
        boxes = boxes.clamp(0, 1) if self.clip else boxes
        both = torch.stack((boxes, self.variances.expand_as(boxes)))
        return both.view(1, 2, -1).to(torch.promote_types(x.dtype, torch.float32))

    def _centres(self, count: int, step: float) -> Tensor:
        """Along one axis, in pixels; in float32 as in Caffe, but for double: the rest is exact."""
        place = torch.arange(count, dtype=self.sides.dtype, device=self.sides.device)
        return ((place + self.offset) * step).double()

    def _pair(self, both: str, height: str, width: str) -> tuple[float, float] | None:
        """What is set for height and width: by one field, by two, or by none."""
        fields = self.param.prior_box_param.ListFields()
        given = {
            field.name: value for field, value in fields if field.name in (both, height, width)
        }
        if not given:
            return None
        if given.keys() not in ({both}, {height, width}):
            text = f"{' and '.join(given)} set: give either {both}, or both {height} and {width}"
            raise self.error(text, f"prior_box_param.{min(given)}")
        for name, value in given.items():
            if not 0 < value < math.inf:
                raise self.error(f"{name} is {value}, must be above 0", f"prior_box_param.{name}")
        return (given[both],) * 2 if both in given else (given[height], given[width])

    def _sides(self) -> list[tuple[float, float]]:
        """Width and height of each box around one element."""
        prior = self.param.prior_box_param
        if len(prior.min_size) == 0 or any(not 1 <= size < math.inf for size in prior.min_size):
            text = f"min_size is {list(prior.min_size)}: give one or more, each at least 1"
            raise self.error(text, "prior_box_param.min_size")
        if len(prior.max_size) not in (0, len(prior.min_size)):
            text = f"{len(prior.max_size)} max_size for {len(prior.min_size)} min_size"
            raise self.error(f"{text}: give none, or one for each", "prior_box_param.max_size")
        for low, high in zip(prior.min_size, prior.max_size, strict=False):
            if not low < high < math.inf:
                text = f"a max_size is {high:.9g}, must be above its min_size, {low:.9g}"
                raise self.error(text, "prior_box_param.max_size")
        if any(not 0 < ratio < math.inf for ratio in prior.aspect_ratio):
            text = f"aspect_ratio is {list(prior.aspect_ratio)}, each must be above 0"
            raise self.error(text, "prior_box_param.aspect_ratio")
        ratios = distinct_ratios(prior.aspect_ratio, flip=prior.flip)
        sizes = itertools.zip_longest(map(int, prior.min_size), map(int, prior.max_size))
        return [sides for low, high in sizes for sides in box_sides(low, high, ratios)]

    def _variances(self) -> list[float]:
        """One for each coordinate of a box."""
        given = list(self.param.prior_box_param.variance)
        if len(given) not in (0, 1, 4) or any(not 0 < each < math.inf for each in given):
            text = f"variance is {given}: give none, one or four, each above 0"
            raise self.error(text, "prior_box_param.variance")
        if not given:
            return [0.1] * 4
        return given if len(given) == 4 else given * 4

    def _require_shapes(self, features: Shape, images: Shape) -> None:
        for name, shape in (("features", features), ("images", images)):
            if len(shape) != 4:
                text = f"the {name} must have 4 axes, (num, channels, height, width)"
                raise self.error(f"{text}; their shape is {shape}")
