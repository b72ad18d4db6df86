"""How far ahead data layers read."""

from caffepy.layers.layer import SourceLayer


def prefetch_depth(layer: SourceLayer) -> int:
    """How many batches a layer prepares ahead; LayerError for 0.

    Caffe has one field for all data layers, data_param.prefetch, also for those that read nothing
    else of that message.
    """
    depth = layer.param.data_param.prefetch
    if not depth:
        raise layer.error("prefetch must be 1 or more; it is 0", "data_param.prefetch")
    return depth
