"""`--gpu`: which device a verb runs on."""

import argparse
import logging
from typing import TYPE_CHECKING

from caffepy.cli.flags import UsageError, comma_list
from caffepy.errors import CaffeError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def add_gpu(
    parser: argparse.ArgumentParser,
    what: str = "the CUDA device to run on, such as 0; without it the CPU",
) -> None:
    """Declare --gpu, a list of devices; `what` explains it."""
    parser.add_argument("--gpu", type=comma_list, default=[], metavar="ID", help=what)


class DeviceError(CaffeError):
    """A device that is asked for and not there."""


def choose_device(ids: list[str]) -> "torch.device":
    """The device for a list of CUDA devices or ["all"]; the CPU for none.

    Raises:
        DeviceError: no such device, or no CUDA at all.
        UsageError: several devices.
    """
    import torch

    if not ids:
        log.info("Use CPU.")
        return torch.device("cpu")
    chosen = find_devices(ids)
    if len(chosen) > 1:
        raise UsageError(
            f"--gpu {','.join(ids)}: several devices at once are not there yet; name one"
        )
    log.info("Using GPUs %d", chosen[0])
    log.info("GPU %d: %s", chosen[0], torch.cuda.get_device_name(chosen[0]))
    return torch.device("cuda", chosen[0])


def find_devices(ids: list[str]) -> list[int]:
    """The numbers of the CUDA devices in a list, or of all for ["all"].

    Raises:
        DeviceError: no such device, or no CUDA at all.
    """
    import torch

    count = torch.cuda.device_count()
    asked = ",".join(ids)
    if not count:
        raise DeviceError(
            f"--gpu {asked}: PyTorch {torch.__version__} sees no CUDA device here; nets run on the "
            "CPU without --gpu and `solver_mode: GPU`"
        )
    known = [str(index) for index in range(count)]
    chosen = known if ids == ["all"] else ids
    for name in chosen:
        if name not in known:
            raise DeviceError(f"--gpu {asked}: no device {name!r}; there are {', '.join(known)}")
    return [int(name) for name in chosen]
