"""`caffepy upgrade_net_proto_binary`: a .caffemodel in today's format."""

import argparse

from caffepy.cli.upgrade import add_files, report_latest, report_written
from caffepy.errors import ParseError
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import plain_net
from caffepy.proto import NetParameter
from caffepy.proto.files import read_binary, write_binary
from caffepy.proto.position import Position


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files."""
    add_files(parser, "old.caffemodel new.caffemodel")


def run(args: argparse.Namespace) -> int:
    """Upgrade the net, or write it as it is where it needs no upgrade."""
    net = Entry(read_binary(args.source, NetParameter), Position(str(args.source)))
    if not (net.message.layer or net.message.layers):
        raise ParseError(f"{args.source}: there is no layer in it; a binary net is expected")
    upgraded, problems = plain_net(net)
    if upgraded is net:
        report_latest(args.source)
    write_binary(args.target, upgraded.message)
    return report_written("NetParameter binary", args.target, problems)
