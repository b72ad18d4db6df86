"""`caffepy draw_net`: a picture of a net's layers and blobs."""

import argparse

from caffepy.cli.log import only_warnings
from caffepy.cli.plain_net import read_plain_net
from caffepy.graph.draw import DIRECTIONS, draw_net_to_file
from caffepy.proto import Phase

EPILOG = """\
example:
  caffepy draw_net train_val.prototxt net.png --rankdir TB --phase TRAIN

The extension says the format: png, svg, pdf and others are made by Graphviz's program dot; .dot is
text for it, and takes pydot alone (pip install 'caffepy[draw]').
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files, and the flags of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("net", metavar="NET", help="the net's prototxt")
    parser.add_argument("target", metavar="IMAGE", help="the picture to write")
    parser.add_argument(
        "--rankdir",
        choices=DIRECTIONS,
        default="LR",
        help="where the net goes: to the right (default), to the left, down or up",
    )
    parser.add_argument(
        "--phase",
        choices=("ALL", "TRAIN", "TEST"),
        default="ALL",
        help="leave out the layers that are in the other phase alone (default: ALL)",
    )
    parser.add_argument(
        "--display-lrm", action="store_true", help="show the learning rates' factors"
    )


def run(args: argparse.Namespace) -> int:
    """Draw."""
    only_warnings()
    net = read_plain_net(args.net)
    print(f"Drawing net to {args.target}")
    phase = None if args.phase == "ALL" else Phase.Value(args.phase)
    draw_net_to_file(net, args.target, args.rankdir, phase, args.display_lrm)
    return 0
