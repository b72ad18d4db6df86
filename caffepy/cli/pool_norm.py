"""`--pool-norm-order`: whether pooling or normalisation comes first."""

import argparse

from caffepy.proto import PoolNormOrder

ORDERS = {
    "as_written": PoolNormOrder.AS_WRITTEN,
    "norm_first": PoolNormOrder.NORM_FIRST,
    "pool_first": PoolNormOrder.POOL_FIRST,
}


def add_pool_norm_order(parser: argparse.ArgumentParser) -> None:
    """Declare --pool-norm-order."""
    parser.add_argument(
        "--pool-norm-order",
        type=pool_norm_order,
        metavar="ORDER",
        help="as_written, norm_first (as in AlexNet) or pool_first (as in CaffeNet): which of an "
        "LRN and a Pooling next to it comes first; takes the place of the net's pool_norm_order",
    )


def pool_norm_order(text: str) -> PoolNormOrder:
    """The order of this name; argparse's error where there is none."""
    if text.lower() not in ORDERS:
        raise argparse.ArgumentTypeError(f"{text!r} is no order: {', '.join(ORDERS)} are")
    return ORDERS[text.lower()]
