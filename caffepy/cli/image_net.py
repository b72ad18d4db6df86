"""What Caffe's two scripts that run a net on images have in common: its files and settings."""

import argparse
from typing import TYPE_CHECKING, Any

from caffepy.cli.device import find_devices
from caffepy.cli.flags import UsageError, comma_list
from caffepy.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def add_image_net(parser: argparse.ArgumentParser) -> None:
    """Declare the net, and what is done to images before it."""
    parser.add_argument("--model-def", metavar="FILE", help="the net's deploy prototxt")
    parser.add_argument("--pretrained-model", metavar="FILE", help="its .caffemodel or .h5 file")
    parser.add_argument("--gpu", action="store_true", help="run on the first CUDA device")
    parser.add_argument(
        "--mean-file",
        default="",
        metavar="FILE",
        help="the mean to subtract, in the net's order of channels: .npy, or else a binaryproto",
    )
    parser.add_argument(
        "--input-scale", type=float, metavar="X", help="factor on the net's input, after the mean"
    )
    parser.add_argument(
        "--raw-scale",
        type=float,
        default=255.0,
        metavar="X",
        help="factor on pixels from 0 to 1, before the mean (default: 255)",
    )
    parser.add_argument(
        "--channel-swap",
        type=comma_list,
        default=["2", "1", "0"],
        metavar="I,...",
        help="the order of the net's channels in red, green, blue (default: 2,1,0, which is BGR)",
    )


def image_net_settings(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of Classifier and Detector that these flags say, after a check of the rest.

    Raises:
        UsageError: the net or its weights are missing, or a number is none.
        DataError: the mean cannot be read.
        DeviceError: there is no CUDA device for --gpu.
    """
    if not args.model_def or not args.pretrained_model:
        raise UsageError(
            "Need a net and its weights.\n--model_def FILE names its deploy prototxt, "
            "--pretrained_model FILE its weights"
        )
    settings = {
        "mean": read_mean_array(args.mean_file) if args.mean_file else None,
        "input_scale": args.input_scale,
        "raw_scale": args.raw_scale,
        "channel_swap": whole_numbers("--channel-swap", args.channel_swap) or None,
    }
    _set_mode(args.gpu)
    return settings


def read_mean_array(path: str) -> "NDArray[np.float32]":
    """The mean in a file: of an .npy, the array as it is; of a binaryproto, (C, H, W).

    Raises:
        DataError: it cannot be read, or is no mean.
    """
    import numpy as np

    from caffepy.data.transform import read_mean

    if not path.endswith(".npy"):
        return read_mean(path).numpy()
    array = read_array(path)
    if array.ndim not in (1, 3):
        raise DataError(f"{path}: not a mean: its shape is {array.shape}, not (C,) or (C, H, W)")
    return array.astype(np.float32)


def read_array(path: str) -> "NDArray[Any]":
    """The array of numbers in an .npy file; DataError where there is none."""
    import numpy as np

    try:
        return np.asarray(np.load(path))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a numpy array: {error}") from error


def whole_numbers(flag: str, texts: list[str]) -> list[int]:
    """The values of a flag; UsageError where one is no whole number from 0 up."""
    if not all(text.isdecimal() for text in texts):
        raise UsageError(f"{flag} is {','.join(texts)}; it takes whole numbers, as in 2,1,0")
    return [int(text) for text in texts]


def _set_mode(gpu: bool) -> None:
    from caffepy import pycaffe

    pycaffe.install()
    if gpu:
        find_devices(["0"])
        pycaffe.set_device(0)
        pycaffe.set_mode_gpu()
    else:
        pycaffe.set_mode_cpu()
    print("GPU mode" if gpu else "CPU mode")
