"""`caffepy classify`: name what images show."""

import argparse
from pathlib import Path

from caffepy.cli.device import add_gpu, choose_device
from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.log import only_warnings
from caffepy.cli.pool_norm import add_pool_norm_order
from caffepy.cli.weights import log_copies
from caffepy.errors import DataError
from caffepy.graph.load import load_graph
from caffepy.proto import TEST, NetState, TransformationParameter

BATCH = 32  # images in memory at once

EXAMPLES = """\
example:
  caffepy classify cat.jpg dog.jpg -model deploy.prototxt -weights lenet.caffemodel \\
    -labels labels.txt -scale 0.00390625

An image is turned to what the net saw in training: read in the colours that the input has channels
for, resized to -images_dim (left out: to the size of the mean file, or else of the net's input),
(image - mean) * scale, and the centre cropped to the net's input. Give the scale and mean that
transform_param has in the net that was trained.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the images, the net, and what is done to the images."""
    parser.epilog = EXAMPLES
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="image files")
    parser.add_argument("--model", metavar="FILE", help="the net's deploy prototxt")
    parser.add_argument(
        "--weights",
        type=comma_list,
        default=[],
        metavar="FILE,...",
        help="its .caffemodel or .h5 files",
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="the names of the classes, a line each; else their numbers"
    )
    parser.add_argument(
        "--top", type=int, default=5, metavar="N", help="how many classes to print (default: 5)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="factor on pixels (default: 1)")
    parser.add_argument(
        "--mean-value",
        type=comma_list,
        default=[],
        metavar="V,...",
        help="to subtract: one number, or one a channel in the net's order",
    )
    parser.add_argument(
        "--mean-file", metavar="FILE", help="a mean image (binaryproto) to subtract"
    )
    parser.add_argument(
        "--images-dim", type=comma_list, default=[], metavar="H,W", help="the size to resize to"
    )
    parser.add_argument(
        "--channel-order",
        choices=("bgr", "rgb"),
        default="bgr",
        help="of the net's input (default: bgr, as Caffe's databases have it)",
    )
    add_pool_norm_order(parser)
    add_gpu(parser)


def run(args: argparse.Namespace) -> int:
    """Print the likeliest classes of each image."""
    check_usage(args)
    param, size = settings(args)
    only_warnings()
    graph = load_graph(args.model, NetState(phase=TEST), args.pool_norm_order)
    device = choose_device(args.gpu)

    from caffepy.cli.classifier import Classifier
    from caffepy.net.build import build_net
    from caffepy.net.weights import copy_weights
    from caffepy.pycaffe import install

    install()
    net = build_net(graph, device=device)
    classifier = Classifier(net, param, size, rgb=args.channel_order == "rgb")
    labels = read_labels(args.labels, classifier.classes)
    log_copies([copy_weights(net, path) for path in args.weights])
    for start in range(0, len(args.images), BATCH):
        paths = args.images[start : start + BATCH]
        for path, scores in zip(paths, classifier.scores(paths), strict=True):
            print(f"---------- Prediction for {path} ----------")
            for index in scores.argsort(descending=True, stable=True)[: args.top].tolist():
                print(f'{scores[index]:.4f} - "{labels[index]}"')
    return 0


def check_usage(args: argparse.Namespace) -> None:
    """Refuse a command line that lacks something."""
    if not args.model:
        raise UsageError("Need a net to classify with.\n-model FILE names its deploy prototxt")
    if not args.weights:
        raise UsageError("Need the weights of the net.\n-weights FILE names them")
    if args.top < 1:
        raise UsageError(f"--top is {args.top}, and must be at least 1")
    if args.mean_value and args.mean_file:
        raise UsageError("give --mean-value or --mean-file, but not both")


def settings(args: argparse.Namespace) -> tuple[TransformationParameter, tuple[int, int] | None]:
    """What is done to pixels, and the (height, width) to resize to where it was given."""
    try:
        means = [float(text) for text in args.mean_value]
    except ValueError as error:
        raise UsageError(f"--mean-value takes numbers: {error}") from error
    param = TransformationParameter(scale=args.scale, mean_value=means)
    if args.mean_file:
        param.mean_file = args.mean_file
    if not args.images_dim:
        return param, None
    if len(args.images_dim) != 2 or not all(t.isdecimal() and int(t) for t in args.images_dim):
        raise UsageError(f"--images-dim is {','.join(args.images_dim)}; it takes height,width")
    height, width = map(int, args.images_dim)
    return param, (height, width)


def read_labels(path: str | None, classes: int) -> list[str]:
    """The name of each class, a line each; their numbers where there is no file."""
    if not path:
        return [str(index) for index in range(classes)]
    try:
        labels = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read the labels: {error}") from error
    if len(labels) != classes:
        raise DataError(f"{path}: {len(labels)} labels, and the net has {classes} classes")
    return labels
