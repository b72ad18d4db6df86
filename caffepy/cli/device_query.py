"""`caffepy device_query`: what nets can run on here."""

import argparse
import logging
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from caffepy.cli.device import add_gpu, find_devices

if TYPE_CHECKING:
    from torch._C import _CudaDeviceProperties

log = logging.getLogger(__name__)
CPUINFO = Path("/proc/cpuinfo")

EXAMPLES = """\
example:
  caffepy device_query
  caffepy device_query -gpu 0,1

Without -gpu it lists every CUDA device that PyTorch sees, and the CPU where there is none.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --gpu."""
    parser.epilog = EXAMPLES
    add_gpu(parser, "the CUDA devices to list, such as 0,1 or all (default: all there are)")


def run(args: argparse.Namespace) -> int:
    """Log the properties of the devices asked for, or of all."""
    import torch

    if not args.gpu and not torch.cuda.is_available():
        log.info("No CUDA device is visible to PyTorch %s; nets run on the CPU.", torch.__version__)
        show(cpu_rows())
        return 0
    devices = find_devices(args.gpu or ["all"])
    log.info("Querying GPUs %s", ",".join(map(str, devices)))
    for device in devices:
        show(cuda_rows(device, torch.cuda.get_device_properties(device)))
    return 0


def show(rows: dict[str, object]) -> None:
    """Log a property a line, the values below each other."""
    for name, value in rows.items():
        log.info("%-31s%s", f"{name}:", value)


def cpu_rows() -> dict[str, object]:
    """What there is to say of the CPU."""
    import torch

    return {
        "Name": cpu_name(),
        "Cores": os.cpu_count(),
        "Threads used by PyTorch": torch.get_num_threads(),
        "Vector instructions": torch.backends.cpu.get_cpu_capability(),
        "PyTorch": torch.__version__,
    }


def cpu_name() -> str:
    """The CPU's model where Linux tells it, else its architecture."""
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def cuda_rows(device: int, properties: "_CudaDeviceProperties") -> dict[str, object]:
    """What there is to say of a CUDA device, sizes in bytes as Caffe has them."""
    return {
        "Device id": device,
        "Major revision number": properties.major,
        "Minor revision number": properties.minor,
        "Name": properties.name,
        "Total global memory": properties.total_memory,
        "Total shared memory per block": properties.shared_memory_per_block,
        "Warp size": properties.warp_size,
        "Threads per multiprocessor": properties.max_threads_per_multi_processor,
        "Level 2 cache": properties.L2_cache_size,
        "Number of multiprocessors": properties.multi_processor_count,
    }
