"""`caffepy summarize`: a net as a table, a line a layer."""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence

from caffepy.cli.flags import UsageError
from caffepy.cli.log import only_warnings
from caffepy.cli.plain_net import read_plain_net
from caffepy.graph.window import window_size
from caffepy.proto import (
    ConvolutionParameter,
    LayerParameter,
    NetParameter,
    ParamSpec,
    PoolingParameter,
)

EPILOG = """\
example:
  caffepy summarize train_val.prototxt

Columns: name, type, (what is said of each parameter: its name, xLR_MULT, DxDECAY_MULT), bottoms ->
tops, with loss weights; and of convolutions and pooling KERNEL/STRIDE+PAD OUTPUTS/GROUPS. On a
terminal each blob has a colour; tops that nobody reads are bold, unknown bottoms red.
"""

COLORS = ("92", "93", "94", "95", "97", "96", "42", "43;30", "100", "44", "103;30", "107;30")
UNKNOWN = "41"
UNREAD = "1;4"
ESCAPE = re.compile(r"\033\[[\d;]*m")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the file, and the flag of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("net", metavar="NET", help="the net's prototxt")
    parser.add_argument(
        "-w",
        "--max-width",
        type=int,
        default=30,
        metavar="N",
        help="of a column; longer entries reach into the next (default: 30)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    if args.max_width < 1:
        raise UsageError(f"--max-width is {args.max_width}, and must be at least 1")
    only_warnings()
    for line in laid_out(list(rows(read_plain_net(args.net))), args.max_width):
        print(line if sys.stdout.isatty() else ESCAPE.sub("", line))
    return 0


def rows(net: NetParameter) -> Iterator[list[str]]:
    """The entries of each layer, blobs in their colours."""
    unread: set[str] = set()
    for layer in net.layer:
        unread = (unread | set(layer.top)) - set(layer.bottom)
    colors: dict[str, str] = {}
    for layer in net.layer:
        for top in layer.top:
            colors.setdefault(top, COLORS[len(colors) % len(COLORS)])
        yield [
            layer.name,
            _type(layer),
            _params(layer.param),
            ", ".join(_colored(bottom, colors.get(bottom, UNKNOWN)) for bottom in layer.bottom),
            "->",
            ", ".join(_tops(layer, colors, unread)),
            _window(layer),
        ]


def laid_out(table: Sequence[Sequence[str]], max_width: int) -> Iterator[str]:
    """The lines of a table, columns as narrow as may be; a long entry moves no column if it can."""
    widths = [min(max(map(_width, column)) + 1, max_width) for column in zip(*table, strict=True)]
    for row in table:
        line, end = "", 0
        for cell, width in zip(row, widths, strict=True):
            end += width
            line += f"{cell} "
            line += " " * (end - _width(line))
        yield line.rstrip()


def _width(text: str) -> int:
    return len(ESCAPE.sub("", text))


def _colored(text: str, color: str) -> str:
    return f"\033[{color}m{text}\033[0m"


def _tops(layer: LayerParameter, colors: dict[str, str], unread: set[str]) -> Iterator[str]:
    for index, top in enumerate(layer.top):
        style = f"{UNREAD};{colors[top]}" if top in unread else colors[top]
        weighted = index < len(layer.loss_weight)
        text = f"{layer.loss_weight[index]:g} * {top}" if weighted else top
        yield _colored(text, style)


def _type(layer: LayerParameter) -> str:
    if layer.type == "Python":
        return f"{layer.python_param.module}.{layer.python_param.layer}"
    return layer.type


def _params(params: Sequence[ParamSpec]) -> str:
    said = [_param(param) for param in params]
    return f"({', '.join(said)})" if any(said) else ""


def _param(param: ParamSpec) -> str:
    words = [param.name] if param.name else []
    if param.lr_mult != 1:
        words.append(f"x{param.lr_mult:g}")
    if param.decay_mult != 1:
        words.append(f"Dx{param.decay_mult:g}")
    return " ".join(words)


def _window(layer: LayerParameter) -> str:
    """KERNEL/STRIDE+PAD OUTPUTS/GROUPS, what is usual left out."""
    if layer.type == "Pooling":
        param = layer.pooling_param
        return "global" if param.global_pooling else _sizes(param)
    if layer.type in ("Convolution", "Deconvolution"):
        convolution = layer.convolution_param
        groups = f"/{convolution.group}" if convolution.group != 1 else ""
        return f"{_sizes(convolution)} {convolution.num_output}{groups}"
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return ""


def _sizes(param: ConvolutionParameter | PoolingParameter) -> str:
    kernel, stride, pad = (window_size(param, what) for what in ("kernel", "stride", "pad"))
    return kernel + (f"/{stride}" if stride != "1" else "") + (f"+{pad}" if pad != "0" else "")
