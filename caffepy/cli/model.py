"""From the flags of a verb to the net it runs."""

import argparse
import logging
from typing import TYPE_CHECKING

from caffepy.cli.device import choose_device
from caffepy.cli.state import make_state
from caffepy.cli.weights import log_copies
from caffepy.graph.load import load_graph
from caffepy.proto import Phase

if TYPE_CHECKING:
    from caffepy.net.net import Net

log = logging.getLogger(__name__)


def build_model(args: argparse.Namespace, phase: Phase, ten_crop: bool = False) -> "Net":
    """The net of -model, on the device of -gpu, with -weights; its warnings are logged.

    args: with model, weights, gpu, level, stage, pool_norm_order and data_workers. ten_crop:
    `load_graph`'s.
    """
    state = make_state(phase, args.level, args.stage)
    graph = load_graph(args.model, state, args.pool_norm_order, ten_crop)
    device = choose_device(args.gpu)
    for problem in graph.problems:
        log.warning("%s", problem)

    from caffepy.net.build import build_net
    from caffepy.net.weights import copy_weights
    from caffepy.pycaffe import install

    install()
    net = build_net(graph, device=device, workers=args.data_workers)
    log_copies([copy_weights(net, path) for path in args.weights])
    return net
