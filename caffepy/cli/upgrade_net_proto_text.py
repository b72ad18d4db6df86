"""`caffepy upgrade_net_proto_text`: a net's prototxt in today's format."""

import argparse

from caffepy.cli.upgrade import add_files, report_latest, report_written
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import plain_net
from caffepy.proto import NetParameter
from caffepy.proto.files import read_text, write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files."""
    add_files(parser, "old.prototxt train_val.prototxt")


def run(args: argparse.Namespace) -> int:
    """Upgrade the net, or write it as it is where it needs no upgrade."""
    net = Entry(*read_text(args.source, NetParameter))
    upgraded, problems = plain_net(net)
    if upgraded is net:
        report_latest(args.source)
    write_text(args.target, upgraded.message)
    return report_written("NetParameter text", args.target, problems)
