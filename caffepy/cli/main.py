"""`caffepy VERB`: finds the verb, and turns what goes wrong into one message and an exit code."""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, cast

import caffepy
from caffepy.cli.flags import Parser, UsageError, is_flag
from caffepy.cli.heap import keep_freed_memory
from caffepy.cli.log import logging_to_stderr
from caffepy.errors import CaffeError, near

VERBS = {
    "convert_imageset": "make a database of a folder of images and a list of labels",
    "compute_image_mean": "find the mean image of a database",
    "compute_image_pca": "find the principal components of a database's colours, for lighting",
    "convert_mnist_data": "make a database of MNIST's files",
    "convert_cifar_data": "make databases of CIFAR-10's binary files",
    "extract_features": "write what blobs of a net hold, image by image, into databases",
    "inspect_db": "say what a database holds, and show its images",
    "train": "train a net from a solver.prototxt, or go on from a snapshot",
    "train_parallel": "train in several processes, a device or some cores each",
    "test": "score a trained net on its TEST data",
    "time": "measure how long each layer of a net takes",
    "device_query": "list the devices that nets can run on",
    "classify": "name what image files show, by a trained net",
    "parse_log": "make CSV files of the log of a training",
    "plot_training_log": "draw the curves of one training or several",
    "extract_seconds": "list when the iterations of a log were",
    "classify_npy": "score images into an array, as Caffe's python/classify.py",
    "detect": "score windows of images, as Caffe's python/detect.py",
    "draw_net": "draw a net's layers and blobs",
    "summarize": "show a net as a table, a line a layer",
    "resize_and_crop_images": "cut image files to squares of one size",
    "download_model_binary": "fetch the published weights of a model's folder",
    "upgrade_net_proto_text": "write an old net's prototxt in today's format",
    "upgrade_net_proto_binary": "write an old .caffemodel in today's format",
    "upgrade_solver_proto_text": "write an old solver's prototxt in today's format",
}

WIDTH = max(map(len, VERBS))
HELP = f"""\
usage: caffepy VERB [flags] [files]

Caffe for people today: Caffe's prototxts, databases, weights and solver, run by PyTorch.

Available caffe actions:
{"".join(f"  {verb:{WIDTH}} {line}{chr(10)}" for verb, line in VERBS.items())}
flags of every verb:
  --help            what the verb does and its flags
  --traceback       where in the program an error comes from
  --version         (without a verb) the version of caffepy

example:
  caffepy train -solver examples/digits/solver.prototxt

Flags may be spelled as Caffe's tools take them: -solver, --solver, -solver=FILE, -nogray.
Next: `caffepy train --help`, or `make demo` in a copy of the source, which trains a net in a
minute; README.md leads through it.
"""


class Verb(Protocol):
    """What the module of a verb offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's flags and files."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (sys.argv's where left out) and return its exit code.

    0: done; 1: failed, said why on stderr; 2: bad usage; 130: interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        code = dispatch(argv)
        sys.stdout.flush()
    except CaffeError as error:
        if "traceback" in {token.lstrip("-") for token in argv if is_flag(token)}:
            traceback.print_exc()
        for line in str(error).splitlines():
            print(f"caffepy: error: {line}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away; the interpreter's own flush at exit must not complain of it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


@contextmanager
def naming_short_memory() -> Iterator[None]:
    """Raise CaffeError, of one line and a hint, where the system's memory or a device's is short.

    Torch is asked by name, and for the CPU by its words: importing it here would slow every verb.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        names = {kind.__name__ for kind in type(error).__mro__}
        short = names & {"MemoryError", "OutOfMemoryError"} or "DefaultCPUAllocator" in str(error)
        if not short or isinstance(error, CaffeError):
            raise
        reason = str(error).partition("\n")[0] or "the system gives no more"
        hint = "a smaller batch_size, or smaller images, take less"
        raise CaffeError(f"out of memory: {reason}\n{hint}") from error


def dispatch(argv: Sequence[str]) -> int:
    """Find the verb, read its flags, run it."""
    for index, token in enumerate(argv):
        if token in VERBS:
            module, parser = load(token)
            if index == 0 or not parser.takes_next(argv[index - 1]):
                args = parser.parse([*argv[:index], *argv[index + 1 :]])
                keep_freed_memory()
                with logging_to_stderr(), naming_short_memory():
                    return module.run(args)
    return without_verb(argv)


def load(verb: str) -> tuple[Verb, Parser]:
    """A verb's module, imported now, and the parser of its flags."""
    module = cast("Verb", importlib.import_module(f"caffepy.cli.{verb}"))
    parser = Parser(f"caffepy {verb}", VERBS[verb])
    module.add_arguments(parser)
    parser.add_argument(
        "--traceback", action="store_true", help="where in the program an error comes from"
    )
    return module, parser


def without_verb(argv: Sequence[str]) -> int:
    """`caffepy --help` and `--version`; everything else lacks a verb."""
    words = [
        token
        for before, token in zip(["", *argv], argv, strict=False)
        if not is_flag(token) and not (is_flag(before) and "=" not in before)
    ]
    if words:
        raise UsageError(
            f"Unknown action: {words[0]!r}{near(words[0], VERBS)}\n"
            f"Available caffe actions: {', '.join(VERBS)}"
        )
    if argv and argv[0].lstrip("-") == "version":
        print(f"caffepy {caffepy.__version__}")
        return 0
    if argv and argv[0].lstrip("-") in ("help", "h"):
        print(HELP, end="")
        return 0
    if argv:
        raise UsageError(f"unknown flag {argv[0]}, and no verb\n`caffepy --help` lists the verbs")
    print(HELP, end="", file=sys.stderr)
    return 2
