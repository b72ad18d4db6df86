"""Upsample: max pooling undone."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.bounds import require_within
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


class Side(NamedTuple):
    """How long one side of the top is: `size`, or, where that is 0, scale times less."""

    size: int
    scale: int
    less: int

    def __call__(self, side: int) -> int:
        """The side of the top, for that of the bottom."""
        return self.size or side * self.scale - self.less


@register("Upsample")
class Upsample(Layer):
    """Each element at the place in its plane that `mask` has for it; zeros everywhere else.

    Of several elements for one place the last counts, but all of them get the gradient of the place,
    as in the fork. The mask gets none.

    Bottoms: x (N, C, H, W); mask, of the same shape, whole numbers h width + w, as the second top of
             MAX pooling has them.
    Top:     y (N, C, upsample_h, upsample_w); where these are left out, `scale`, or `scale_h` and
             `scale_w`, times the bottom's sides, less 1 where `pad_out_h` or `pad_out_w` is set.
    Source:  upsample_layer.cpp of Caffe's SegNet fork; Badrinarayanan et al., "SegNet: a deep
             convolutional encoder-decoder architecture for image segmentation".
    """

    def __init__(self, param: LayerParameter, bottom: Shape, mask: Shape) -> None:
        super().__init__(param, bottom, mask)
        up = param.upsample_param
        sizes = self._pair(upsample_h=up.upsample_h, upsample_w=up.upsample_w)
        if sizes is None:
            self.rows, self.columns = self._read_scales()
        else:
            self.rows, self.columns = (Side(size, 0, 0) for size in sizes)

    def _read_scales(self) -> tuple[Side, Side]:
        up = self.param.upsample_param
        scales = self._pair(scale_h=up.scale_h, scale_w=up.scale_w)
        if scales is None:
            scales = self._above_1((up.scale, up.scale), "scale")
        elif up.HasField("scale"):
            text = "scale and scale_h are both set: give scale, or scale_h and scale_w"
            raise self.error(text, "upsample_param.scale")
        for field, pad, scale in (
            ("pad_out_h", up.pad_out_h, scales[0]),
            ("pad_out_w", up.pad_out_w, scales[1]),
        ):
            if pad and scale != 2:
                text = (
                    f"{field} is set with a scale of {scale}: only of a scale of 2 it is clear by"
                )
                text += " how much the top is too large; give upsample_h and upsample_w"
                raise self.error(text, f"upsample_param.{field}")
        return Side(0, scales[0], int(up.pad_out_h)), Side(0, scales[1], int(up.pad_out_w))

    def _pair(self, **fields: int) -> Shape | None:
        """Two numbers, which are given together, or left out."""
        given = [name for name in fields if self.param.upsample_param.HasField(name)]
        if not given:
            return None
        if len(given) == 1:
            text = f"{given[0]} is set alone: give both {' and '.join(fields)}, or neither"
            raise self.error(text, f"upsample_param.{given[0]}")
        return self._above_1(tuple(fields.values()), given[0])

    def _above_1(self, sizes: Shape, field: str) -> Shape:
        if min(sizes) < 2:
            text = f"the top's size, or its scale, is given as {sizes}, must be at least 2"
            raise self.error(text, f"upsample_param.{field}")
        return sizes

    def check(self, *bottoms: Tensor) -> None:
        """Raise LayerError for a place outside the top's planes."""
        x, mask = bottoms
        self._require_planes(x, mask)
        rows, columns = self.rows(x.shape[2]), self.columns(x.shape[3])
        planes = f"in planes of {rows} x {columns}: was the pooling that made it over this size?"
        require_within(self, mask, rows * columns, planes)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        self._require_planes(x, mask)
        height, width = x.shape[2:]
        # torch takes the size of the top from a pooling: this one, of stride 1, has the right size.
        kernel = (self.rows(height) - height + 1, self.columns(width) - width + 1)
        return F.max_unpool2d(x, mask.long(), kernel, (1, 1))

    def _require_planes(self, x: Tensor, mask: Tensor) -> None:
        if x.dim() != 4 or x.shape != mask.shape:
            text = (
                "Input must have 4 axes, corresponding to (num, channels, height, width), and the"
            )
            shapes = f"the bottoms have {tuple(x.shape)} and {tuple(mask.shape)}"
            raise self.error(f"{text} mask the same shape; {shapes}")
