"""ShuffleChannel: channels of all groups mixed."""

import torch.nn.functional as F
from torch import Tensor

from caffepy.layers.layer import Layer, Shape, register
from caffepy.proto import LayerParameter


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    """The channels in a new order: the first of each of `group` groups, the second of each, ...

    Bottom:  x (N, C, *plane), C a multiple of `group`.
    Top:     y, of x's shape: seen as (N, C / group, group, ...) it is x seen as
             (N, group, C / group, ...), with the middle axes swapped.
    Source:  shuffle_channel_layer.cpp of Caffe's ShuffleNet forks; Zhang et al., "ShuffleNet: an
             extremely efficient convolutional neural network for mobile devices".
    """

    def __init__(self, param: LayerParameter, bottom: Shape) -> None:
        super().__init__(param, bottom)
        self.group = param.shuffle_channel_param.group
        if self.group < 1:
            raise self.error("group is 0, must be at least 1", "shuffle_channel_param.group")

    def forward(self, x: Tensor) -> Tensor:
        shape = tuple(x.shape)
        if len(shape) < 2:
            raise self.error(f"the bottom's shape is {shape}, must have an axis of channels")
        if shape[1] % self.group:
            text = f"group is {self.group}, must divide the bottom's {shape[1]} channels"
            raise self.error(text, "shuffle_channel_param.group")
        if len(shape) == 2:
            return F.channel_shuffle(x.unsqueeze(2), self.group).squeeze(2)
        return F.channel_shuffle(x, self.group)
