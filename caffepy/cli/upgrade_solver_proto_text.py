"""`caffepy upgrade_solver_proto_text`: a solver's prototxt, and the nets in it, in today's format."""

import argparse

from caffepy.cli.upgrade import add_files, report_latest, report_written
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import upgrade_solver
from caffepy.proto import SolverParameter
from caffepy.proto.files import read_text, write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files."""
    add_files(parser, "old_solver.prototxt solver.prototxt")


def run(args: argparse.Namespace) -> int:
    """Upgrade the solver, or write it as it is where it needs no upgrade."""
    solver = Entry(*read_text(args.source, SolverParameter))
    upgraded, problems = upgrade_solver(solver)
    if upgraded == solver.message:
        report_latest(args.source)
    write_text(args.target, upgraded)
    return report_written("SolverParameter text", args.target, problems)
