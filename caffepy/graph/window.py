"""The windows of convolutions and pooling, in words."""

from caffepy.proto import ConvolutionParameter, PoolingParameter

FIELDS = {"kernel": ("kernel_size", 1), "stride": ("stride", 1), "pad": ("pad", 0)}


def window_size(param: ConvolutionParameter | PoolingParameter, what: str) -> str:
    """A window's kernel, stride or pad: "3", or "3x5", by axis, where axes differ.

    `what` is one of FIELDS.
    """
    field, default = FIELDS[what]
    if param.HasField(f"{what}_h") or param.HasField(f"{what}_w"):
        return f"{getattr(param, f'{what}_h')}x{getattr(param, f'{what}_w')}"
    value = getattr(param, field)
    sizes = [value] if isinstance(value, int) else list(value) or [default]
    return "x".join(map(str, sizes if len(set(sizes)) > 1 else sizes[:1]))
