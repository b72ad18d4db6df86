"""What a net says of itself once it is built: Caffe's lines, which log readers look for."""

import logging
import math

from caffepy.net.need import needs_of
from caffepy.net.net import Net

log = logging.getLogger(__name__)
BYTES_OF_A_NUMBER = 4


def log_net(net: Net) -> None:
    """Log the wiring, the shapes, the running sum of memory and the outputs."""
    memory = 0
    for step in net.steps:
        log.info("Creating Layer %s", step.name)
        for bottom in step.bottoms:
            log.info("%s <- %s", step.name, bottom)
        for top in step.tops:
            log.info("%s -> %s%s", step.name, top, " (in-place)" if top in step.bottoms else "")
        log.info("Setting up %s", step.name)
        for top in step.tops:
            shape = net.shapes[top]
            memory += math.prod(shape) * BYTES_OF_A_NUMBER
            log.info("Top shape: %s(%d)", "".join(f"{size} " for size in shape), math.prod(shape))
            if top in net.loss_weights:
                log.info("    with loss weight %g", net.loss_weights[top])
        log.info("Memory required for data: %d", memory)
    for name, need in reversed(list(zip(net.layer_names, needs_of(net), strict=True))):
        log.info("%s %s backward computation.", name, "needs" if need.layer else "does not need")
    for output in net.outputs:
        log.info("This network produces output %s", output)
    log.info("Network initialization done.")
