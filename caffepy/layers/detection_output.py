"""DetectionOutput: SSD's boxes, from what the net says of each prior."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from caffepy.layers.boxes import decode
from caffepy.layers.layer import Layer, Shape, register
from caffepy.layers.nms import ranks, suppress
from caffepy.proto import LayerParameter, PriorBoxParameter

LOWEST = torch.finfo(torch.float32).min


class Found(NamedTuple):
    """Boxes by the image, class and prior they are of, int64 (E,) each; and their scores (E,)."""

    image: Tensor
    label: Tensor
    prior: Tensor
    score: Tensor

    def at(self, which: Tensor) -> "Found":
        """Those at these places, or where this is true."""
        return Found(*(each[which] for each in self))


@register("DetectionOutput")
class DetectionOutput(Layer):
    """The boxes found in each image: those with the best scores, without those that they overlap.

    A location and its prior give a box; codes are `code_type`'s, times the prior's variances unless
    `variance_encoded_in_target`. Of each class but `background_label_id`, the `nms_param.top_k`
    best scores above `confidence_threshold` are taken, and of their boxes those that overlap a
    better one that is kept by at most `nms_threshold`; then of all classes of an image the
    `keep_top_k` best. Of equal scores the first counts as better.

    Bottom:  locations (N, P L 4), L = 1 with `share_location`, else the number of classes C;
             scores (N, P C), such as probabilities; priors (1, 2, P 4), boxes and variances. They
             get no gradient.
    Top:     (1, 1, K, 7): image, class, score, xmin, ymin, xmax, ymax of each box found, by image,
             class, and falling score. Where none is found in any image, K is N, and a row is
             an image and six times -1. K is 1 until the first run.
    Source:  Liu et al., "SSD"; caffe (weiliu89, branch ssd)/src/caffe/layers/
             detection_output_layer.cpp
    """

    def __init__(self, param: LayerParameter, *bottoms: Shape) -> None:
        super().__init__(param)
        output = param.detection_output_param
        self.classes, self.background = output.num_classes, output.background_label_id
        self.shared = output.share_location
        self.code_type = output.code_type
        self.encoded = output.variance_encoded_in_target
        self.keep = output.keep_top_k
        has_threshold = output.HasField("confidence_threshold")
        self.threshold = output.confidence_threshold if has_threshold else LOWEST
        nms = output.nms_param
        self.limit, self.eta = nms.nms_threshold, nms.eta
        self.best = nms.top_k if nms.HasField("top_k") else -1
        self._check_settings()
        self._refuse_files()
        self._count_priors(*bottoms)

    def top_shapes(self, *bottoms: Shape) -> list[Shape]:
        """One box, as how many there are depends on values."""
        self._count_priors(*bottoms)
        return [(1, 1, 1, 7)]

    def check(self, *bottoms: Tensor) -> None:
        boxes = bottoms[2][0, 0].reshape(-1, 4)
        flat = (~(boxes[:, 2:] > boxes[:, :2])).any(1).nonzero()
        if self.code_type != PriorBoxParameter.CORNER and len(flat) > 0:
            index = int(flat[0])
            sides = ", ".join(f"{number:.9g}" for number in boxes[index].tolist())
            raise self.error(
                f"prior {index} is the box ({sides}); with this code_type, whose unit is its sides, "
                "a prior must have some"
            )

    @torch.no_grad()
    def forward(self, locations: Tensor, scores: Tensor, priors: Tensor) -> Tensor:
        count = self._count_priors(tuple(locations.shape), tuple(scores.shape), tuple(priors.shape))
        dtype = torch.promote_types(scores.dtype, torch.float32)
        images = len(scores)
        boxes, variances = priors.to(dtype).reshape(2, count, 4)
        codes = locations.to(dtype).reshape(images, count, -1, 4).transpose(1, 2)
        boxes = decode(codes if self.encoded else codes * variances, boxes, self.code_type)
        rows = self._find(boxes, scores.to(dtype).reshape(images, count, self.classes))
        if len(rows) == 0:
            rows = scores.new_full((images, 7), -1, dtype=dtype)
            rows[:, 0] = torch.arange(images)
        return rows[None, None]

    def _find(self, boxes: Tensor, scores: Tensor) -> Tensor:
        """The rows of the top, for boxes (N, L, P, 4) and scores (N, P, C)."""
        found, group, rank = self._candidates(scores)
        label = torch.zeros_like(found.label) if self.shared else found.label
        box = boxes[found.image, label, found.prior]
        kept = suppress(box, group, rank, self.limit, self.eta)
        found, box = found.at(kept), box[kept]
        if self.keep >= 0:
            best = ranks(found.score, found.image) < self.keep
            found, box = found.at(best), box[best]
        return torch.cat((torch.stack((found.image, found.label, found.score), 1), box), 1)

    def _candidates(self, scores: Tensor) -> tuple[Found, Tensor, Tensor]:
        """What goes into the suppression, by image, class and falling score.

        And of each, which of the groups by image and class it is in, and its place there.
        """
        above = (scores > self.threshold).transpose(1, 2)
        if 0 <= self.background < self.classes:
            above[:, self.background] = False
        image, label, prior = above.nonzero(as_tuple=True)
        found = Found(image, label, prior, scores[image, prior, label])
        group = torch.unique(image * self.classes + label, return_inverse=True)[1]
        rank = ranks(found.score, group)
        order = (group * scores.shape[1] + rank).argsort()
        if self.best >= 0:
            order = order[rank[order] < self.best]
        return found.at(order), group[order], rank[order]

    def _count_priors(self, locations: Shape, scores: Shape, priors: Shape) -> int:
        """How many priors there are; raises LayerError where the bottoms do not fit together."""
        if len(priors) < 3 or priors[:2] != (1, 2) or math.prod(priors[2:]) % 4 != 0:
            raise self.error(
                "the priors must have shape (1, 2, 4 P), boxes and variances; "
                f"their shape is {priors}"
            )
        count = math.prod(priors[2:]) // 4
        per_prior = 4 if self.shared else 4 * self.classes
        for name, shape, each in (
            ("locations", locations, per_prior),
            ("scores", scores, self.classes),
        ):
            if shape[:1] != scores[:1] or math.prod(shape[1:]) != count * each:
                raise self.error(
                    f"{count} priors take {name} of shape ({scores[0]}, {count * each}), {each} a "
                    f"prior; their shape is {shape}"
                )
        return count

    def _check_settings(self) -> None:
        message = "detection_output_param"
        if self.classes < 1:
            text = "num_classes must be set, to how many scores a prior has"
            raise self.error(text, f"{message}.num_classes")
        if not self.limit >= 0:
            text = f"nms_threshold is {self.limit:.9g}, must be 0 or more"
            raise self.error(text, f"{message}.nms_param.nms_threshold")
        if not 0 < self.eta <= 1:
            text = f"eta is {self.eta:.9g}, must be above 0 and at most 1"
            raise self.error(text, f"{message}.nms_param.eta")

    def _refuse_files(self) -> None:
        message, output = "detection_output_param", self.param.detection_output_param
        if output.save_output_param.output_directory:
            raise self.error(
                f"output_directory is {output.save_output_param.output_directory!r}, but nothing is "
                "written to files here, what is found is in the top: leave out save_output_param",
                f"{message}.save_output_param.output_directory",
            )
        if output.visualize:
            raise self.error(
                "visualize is true, but nothing is drawn here, what is found is in the top: leave "
                "it out",
                f"{message}.visualize",
            )
