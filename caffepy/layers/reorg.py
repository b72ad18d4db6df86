"""Reorg: planes into more channels, or channels into larger planes."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Reorg")
class Reorg(Layer):
    """The numbers of x in another order and shape, as YOLOv2's own layer has them.

    That is not space to depth: with s = `stride`, x is first read, number by number, as
    (N, C / s^2, H s, W s); of each s x s square of that, place (i, j) goes to the channels from
    (s i + j) C / s^2 on; and the result, (N, C, H, W), is read as the top's shape. With `reverse`,
    channels from (s i + j) C / s^2 on become place (i, j) of squares, and nothing is read anew.

    Bottom:  x (N, C, H, W), C a multiple of s^2 and, without `reverse`, H and W multiples of s.
    Top:     y (N, C s^2, H / s, W / s), or (N, C / s^2, H s, W s) with `reverse`.
    Source:  reorg_layer.cpp of Intel's Caffe; Redmon and Farhadi, "YOLO9000: better, faster,
             stronger".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.stride = param.reorg_param.stride
        self.reverse = param.reorg_param.reverse
        if self.stride < 1:
            text = "stride is missing or 0, must be at least 1"
            raise self.error(text, "reorg_param.stride")

    def forward(self, x: Tensor) -> Tensor:
        self._require_multiples(tuple(x.shape))
        s = self.stride
        items, channels, height, width = x.shape
        depth = channels // s**2
        if self.reverse:
            squares = x.reshape(items, s, s, depth, height, width).permute(0, 3, 4, 1, 5, 2)
            return squares.reshape(items, depth, height * s, width * s)
        squares = x.reshape(items, depth, height, s, width, s).permute(0, 3, 5, 1, 2, 4)
        return squares.reshape(items, channels * s**2, height // s, width // s)

    def _require_multiples(self, shape: Shape) -> None:
        if len(shape) != 4:
            raise self.error(f"the bottom's shape is {shape}, must be (N, C, H, W)")
        s = self.stride
        if shape[1] % s**2 or (not self.reverse and (shape[2] % s or shape[3] % s)):
            text = f"stride is {s}: {shape[1]} channels must be a multiple of {s**2}"
            if not self.reverse:
                text += f", and the sides of a plane, {shape[2:]}, of {s}"
            raise self.error(text, "reorg_param.stride")
