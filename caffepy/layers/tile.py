"""Tile: the input, several times over."""

from torch import Tensor

from caffepy.layers.axis import axis_from_front
from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("Tile")
class Tile(Layer):
    """The bottom laid behind itself along `axis`, `tiles` times in all.

    Bottom:  x, of any shape that has `axis`.
    Top:     y, of x's shape with `tiles` times the size at `axis`.
    Source:  caffe/src/caffe/layers/tile_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        tile = param.tile_param
        if tile.tiles < 1:
            given = f"is {tile.tiles}" if tile.HasField("tiles") else "is missing"
            raise self.error(f"tiles {given}, must be at least 1", "tile_param.tiles")
        self.axis, self.tiles = tile.axis, tile.tiles
        self._repeats(bottom)

    def forward(self, x: Tensor) -> Tensor:
        return x.repeat(self._repeats(tuple(x.shape)))

    def _repeats(self, bottom: Shape) -> Shape:
        """How often to repeat along each axis."""
        axis = axis_from_front(self, self.axis, bottom, "tile_param.axis")
        return tuple(self.tiles if i == axis else 1 for i in range(len(bottom)))
