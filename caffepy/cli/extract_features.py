"""`caffepy extract_features`: what blobs of a net hold, for every image of its data layer."""

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from caffepy.cli.data_workers import add_data_workers
from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.model import build_model
from caffepy.cli.pool_norm import add_pool_norm_order
from caffepy.cli.progress import counted
from caffepy.cli.state import add_state
from caffepy.data.features import KINDS, Append, feature_writer
from caffepy.data.folder import check_free
from caffepy.proto import TEST

if TYPE_CHECKING:
    from torch import Tensor

    from caffepy.net.net import Net

log = logging.getLogger(__name__)

LOGGED = 1000

EPILOG = """\
example:
  caffepy extract_features lenet.caffemodel train_val.prototxt ip1,prob ip1_lmdb,prob_lmdb 100 lmdb

The net runs as in testing, on the first BATCHES batches of its own data layer. Of each blob, every
item of a batch becomes a record with float numbers, under its number: 0000000000, 0000000001, ...
`hdf5` writes a dataset named as the blob, `npy` an array for numpy.load, an item a row.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of Caffe's tool, in its order."""
    parser.epilog = EPILOG
    parser.add_argument("weights", metavar="WEIGHTS", type=comma_list, help=".caffemodel or .h5")
    parser.add_argument("model", metavar="NET", help="the prototxt, with the layer that reads data")
    parser.add_argument("blobs", metavar="BLOB,...", type=comma_list, help="blobs by name")
    parser.add_argument(
        "targets", metavar="DB,...", type=comma_list, help="a new database or file for each blob"
    )
    parser.add_argument("batches", metavar="BATCHES", type=int, help="how many batches to run")
    parser.add_argument("kind", metavar="DB_TYPE", choices=KINDS, help=", ".join(KINDS))
    parser.add_argument(
        "device", metavar="CPU|GPU [DEVICE_ID=0]", nargs="*", help="what to run on (CPU)"
    )
    add_state(parser)
    add_pool_norm_order(parser)
    add_data_workers(parser)


def run(args: argparse.Namespace) -> int:
    """Check the words, build the net, and write."""
    if len(args.blobs) != len(args.targets):
        raise UsageError(
            f"{len(args.blobs)} blobs and {len(args.targets)} databases; name one for each blob"
        )
    if len(set(args.targets)) < len(args.targets):
        raise UsageError(f"one name twice among the databases: {','.join(args.targets)}")
    if args.batches < 1:
        raise UsageError(f"BATCHES is {args.batches}, and must be at least 1")
    args.gpu = gpu_of(args.device)
    for target in args.targets:
        check_free(target)

    net = build_model(args, TEST)
    log.info("Extracting Features")
    with ExitStack() as stack:
        writers = [
            (blob, stack.enter_context(feature_writer(args.kind, target, blob)))
            for target, blob in zip(args.targets, args.blobs, strict=True)
        ]
        progress = stack.enter_context(counted("batches"))
        extract(net, writers, args.batches, progress)
    log.info("Successfully extracted the features!")
    return 0


def gpu_of(words: Sequence[str]) -> list[str]:
    """The devices that `CPU`, `GPU`, `GPU 1`, `GPU DEVICE_ID=1` or nothing mean, for --gpu."""
    kind, number = [*words, *["CPU", "0"][len(words) :]][:2]
    identity = number.removeprefix("DEVICE_ID=").removeprefix("DEVICE=")
    if len(words) > 2 or kind not in ("CPU", "GPU") or not identity.isdecimal():
        raise UsageError(f"after DB_TYPE comes CPU, or GPU [DEVICE_ID=0], not {' '.join(words)!r}")
    return [identity] if kind == "GPU" else []


def extract(
    net: "Net",
    writers: Sequence[tuple[str, Append]],
    batches: int,
    progress: Callable[[int, int], None],
) -> None:
    """Run the net over some batches, and write what each blob holds after each."""
    totals = [0] * len(writers)
    for done in range(1, batches + 1):
        held = net.look(blob for blob, _ in writers)
        for index, (blob, append) in enumerate(writers):
            items = numbers(held[blob])
            append(items)
            before, totals[index] = totals[index], totals[index] + len(items)
            if done == batches or totals[index] // LOGGED > before // LOGGED:
                log.info(
                    "Extracted features of %d query images for feature blob %s",
                    totals[index],
                    blob,
                )
        progress(done, batches)


def numbers(top: "Tensor") -> NDArray[np.float32]:
    """A blob's items (n, *item); one of a blob that is a single number."""
    array: NDArray[np.float32] = top.float().cpu().numpy()
    return np.ascontiguousarray(array[None] if array.ndim == 0 else array)
