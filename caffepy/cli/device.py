"""`--gpu`: which device a verb runs on."""

import argparse
import logging
from typing import TYPE_CHECKING

from caffepy.cli.flags import UsageError, comma_list

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def add_gpu(parser: argparse.ArgumentParser) -> None:
    """Declare --gpu."""
    parser.add_argument(
        "--gpu",
        type=comma_list,
        default=[],
        metavar="ID",
        help="the CUDA device to run on, such as 0; without it the CPU",
    )


def choose_device(ids: list[str]) -> "torch.device":
    """The device for a list of CUDA devices or ["all"]; the CPU for none.

    Raises:
        UsageError: several devices, no such device, or no CUDA at all.
    """
    import torch

    if not ids:
        log.info("Use CPU.")
        return torch.device("cpu")
    count = torch.cuda.device_count()
    asked = ",".join(ids)
    if not count:
        raise UsageError(
            f"--gpu {asked}: PyTorch {torch.__version__} sees no CUDA device here; leave --gpu out "
            "(and `solver_mode: GPU`) to run on the CPU"
        )
    known = [str(index) for index in range(count)]
    chosen = known if ids == ["all"] else ids
    if len(chosen) > 1:
        raise UsageError(f"--gpu {asked}: several devices at once are not there yet; name one")
    if chosen[0] not in known:
        raise UsageError(f"--gpu {asked}: no such device; there are {', '.join(known)}")
    log.info("Using GPUs %s", chosen[0])
    log.info("GPU %s: %s", chosen[0], torch.cuda.get_device_name(int(chosen[0])))
    return torch.device("cuda", int(chosen[0]))
