"""`caffepy classify_npy`: the scores of images as an array, as Caffe's python/classify.py."""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.image_net import add_image_net, image_net_settings, read_array, whole_numbers
from caffepy.cli.log import only_warnings
from caffepy.errors import DataError

if TYPE_CHECKING:
    from caffepy.pycaffe.images import Numbers

EPILOG = """\
example:
  caffepy classify_npy photos/ scores.npy --model_def deploy.prototxt \\
    --pretrained_model net.caffemodel --mean_file mean.npy

The flags are those of Caffe's python/classify.py. The array has a row an image, a column a class;
the images of a folder are in the order of their names. An .npy to read holds images
(N, H, W, channels), red first, from 0 to 1. A mean of pixels has the size of the net's input.

`caffepy classify` names the classes of images instead.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files, and the flags of Caffe's script."""
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="INPUT", help="an image, a folder, or an .npy of images")
    parser.add_argument("target", metavar="OUTPUT", help="the .npy to write")
    add_image_net(parser)
    parser.add_argument(
        "--center-only",
        action="store_true",
        help="the centre crop alone, instead of the mean over ten crops",
    )
    parser.add_argument(
        "--images-dim",
        type=comma_list,
        default=["256", "256"],
        metavar="H,W",
        help="the size that images are resized to before they are cropped (default: 256,256)",
    )
    parser.add_argument(
        "--ext", default="jpg", help="of the images in a folder (default: jpg); case matters"
    )


def run(args: argparse.Namespace) -> int:
    """Score the images, and write the array."""
    size = whole_numbers("--images-dim", args.images_dim)
    if len(size) != 2 or not all(size):
        raise UsageError(f"--images-dim is {','.join(args.images_dim)}; it takes height,width")
    only_warnings()
    settings = image_net_settings(args)

    import numpy as np

    from caffepy.data.folder import check_target
    from caffepy.pycaffe import Classifier

    check_target(args.target)
    classifier = Classifier(args.model_def, args.pretrained_model, size, **settings)
    count, images = read_images(Path(args.source).expanduser(), args.ext)
    print(f"Classifying {count} inputs.")
    start = time.perf_counter()
    predictions = classifier.predict(images, not args.center_only)
    print(f"Done in {time.perf_counter() - start:.2f} s.")
    print(f"Saving results into {args.target}")
    with Path(args.target).open("wb") as file:
        np.save(file, predictions)
    return 0


def read_images(source: Path, extension: str) -> tuple[int, Iterable["Numbers"]]:
    """How many images there are, and the images, each read when it is asked for.

    Raises:
        DataError: there are none.
    """
    from caffepy.pycaffe.images import load_image

    print(f"Loading {'folder' if source.is_dir() else 'file'}: {source}")
    if source.suffix == ".npy":
        array = read_array(str(source))
        if array.ndim != 4 or not len(array):
            raise DataError(f"{source}: images are (N, H, W, channels); the shape is {array.shape}")
        return len(array), array
    files = [source]
    if source.is_dir():
        files = sorted(source.glob(f"*.{extension}"))
        if not files:
            raise DataError(f"{source}: there is no *.{extension} in this folder; see --ext")
    return len(files), (load_image(file) for file in files)
