"""MVN: mean 0 and deviation 1 for each plane, or each item."""

from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


def with_deviation(centred: Tensor, eps: float, axes: tuple[int, ...]) -> Tensor:
    """y = centred / (s + eps), s the root of the mean of the squares along the axes.

    Its gradient is Caffe's, (g - y mean(y g)) / (s + eps). The derivative has s for one of the
    two (s + eps) by which it divides y mean(y g); it is infinite at s = 0.
    """
    variance = centred.square().mean(axes, keepdim=True)
    deviation = variance.detach().sqrt() + eps
    slope = (variance - variance.detach()) / (2 * deviation)
    return centred / (deviation + slope)


@register("MVN")
class MVN(Layer):
    """y = (x - mean) / (s + eps), s = sqrt(mean((x - mean)^2)), for each plane of each item.

    For each whole item with `across_channels`; y = x - mean where `normalize_variance` is off.
    The gradient is (g - mean(g) - y mean(y g)) / (s + eps), as in Caffe: where eps counts beside s,
    it is not the derivative.

    Bottom:  x (N, C, H, W), or the first axes of that: missing ones count as 1.
    Top:     y (N, C, H, W), with 4 axes always.
    Source:  caffe/src/caffe/layers/mvn_layer.cpp
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        mvn = param.mvn_param
        self.axes = (1, 2, 3) if mvn.across_channels else (2, 3)
        self.by_deviation = mvn.normalize_variance
        self.eps = mvn.eps

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() > 4:
            raise self.error(f"the bottom's shape is {tuple(x.shape)}, may have at most 4 axes")
        x = x.reshape(*x.shape, *(1,) * (4 - x.dim()))
        centred = x - x.mean(self.axes, keepdim=True)
        return with_deviation(centred, self.eps, self.axes) if self.by_deviation else centred
