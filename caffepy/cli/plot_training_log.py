"""`caffepy plot_training_log`: curves of what trainings logged, several logs in one chart."""

import argparse
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from caffepy.cli.flags import UsageError, comma_list
from caffepy.cli.training_log import Point, TrainingLog, read_training_log
from caffepy.errors import CaffeError, DataError, near
from caffepy.proto.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHAT = ("Test accuracy", "Test loss", "Train learning rate", "Train loss")
CHARTS = [(what, against) for what in WHAT for against in ("Iters", "Seconds")]
TYPES = "\n".join(
    f"  {number}: {what} vs. {against}" for number, (what, against) in enumerate(CHARTS)
)
ENDINGS = (".png", ".svg", ".pdf")
SPARSE = 60  # points of a curve that are marked, so that one alone can be seen

EPILOG = f"""\
chart types:
{TYPES}

Accuracies are the outputs of test nets without a loss weight, losses those with one. Train loss is
that of the `Iteration N` lines, the mean of the last `average_loss` ones.

example:
  caffepy plot_training_log 0 accuracy.png train.log
  caffepy plot_training_log 6 loss.svg lr_0.1.log lr_0.01.log
"""


class Curve(NamedTuple):
    """Points, and the name that they have among those of their log."""

    name: str
    points: list[Point]


def picture(text: str) -> Path:
    """The name of a file whose ending tells what kind of picture it is."""
    if Path(text).suffix.lower() not in ENDINGS:
        raise argparse.ArgumentTypeError(f"{text!r} ends with none of {', '.join(ENDINGS)}")
    return Path(text)


def chart_type(text: str) -> int:
    """The number of a chart."""
    if text not in map(str, range(len(CHARTS))):
        raise argparse.ArgumentTypeError(f"{text!r} is no chart type; there are\n{TYPES}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the words of Caffe's script, and the outputs."""
    parser.epilog = EPILOG
    parser.add_argument("chart", metavar="TYPE", type=chart_type, help="0 to 7, see below")
    parser.add_argument(
        "target", metavar="OUTPUT", type=picture, help="a .png, .svg or .pdf to write"
    )
    parser.add_argument("logs", metavar="LOG", nargs="+", help="what trainings logged")
    parser.add_argument(
        "--output",
        type=comma_list,
        default=[],
        metavar="NAME,...",
        help="draw only these outputs of the test nets",
    )


def run(args: argparse.Namespace) -> int:
    """Read the logs and draw."""
    what, against = CHARTS[args.chart]
    if args.output and not what.startswith("Test"):
        raise UsageError(f"--output chooses outputs of test nets, and chart {args.chart} has none")
    figure = new_figure()
    drawn = {}
    for path in args.logs:
        curves = curves_of(read_training_log(path), what, args.output)
        if not curves:
            raise DataError(f"{path}: has no lines for chart {args.chart}, {what} vs. {against}")
        drawn[path] = curves
    draw(figure, drawn, what, against)
    drawing = io.BytesIO()
    figure.savefig(drawing, format=args.target.suffix[1:].lower(), dpi=100)
    write_bytes(args.target, drawing.getvalue())
    return 0


def new_figure() -> "Figure":
    """An empty figure of its own, which leaves matplotlib's windows and settings alone."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise CaffeError(
            "charts take matplotlib, which is not installed: pip install 'caffepy[plot]'"
        ) from error
    return Figure(figsize=(8, 5), layout="constrained")


def curves_of(log: TrainingLog, what: str, wanted: Sequence[str]) -> list[Curve]:
    """The curves that a log has for a chart; none where it tells nothing of that kind."""
    if what == "Train loss":
        return [Curve("loss", log.losses)] if log.losses else []
    if what == "Train learning rate":
        return [Curve("lr", log.rates)] if log.rates else []
    curves = list(test_curves(log, losses=what == "Test loss"))
    names = [curve.name for curve in curves]
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{log.path}: {what.lower()}: no output {name!r}{near(name, names)}"
                f" (it has {', '.join(names) or 'none'})"
            )
    return [curve for curve in curves if not wanted or curve.name in wanted]


def test_curves(log: TrainingLog, *, losses: bool) -> Iterator[Curve]:
    """The outputs of the test nets that have a loss weight, or those that have none."""
    for output, name in log.test.columns().items():
        if (output in log.test.losses) == losses:
            points = [
                Point(row.iteration, log.seconds(row.time), row.values[output])
                for row in log.test.rows
                if output in row.values
            ]
            yield Curve(name, points)


def draw(figure: "Figure", drawn: dict[str, list[Curve]], what: str, against: str) -> None:
    """Draw all curves with a legend; learning rates that fall far on a scale by powers of 10."""
    axes = figure.add_subplot(title=f"{what} vs. {against}", xlabel=against, ylabel=what)
    for path, curves in drawn.items():
        for curve in curves:
            label = path if len(curves) == 1 else f"{path}: {curve.name}"
            marker = "." if len(curve.points) < SPARSE else ""
            axes.plot(*line(curve, against), marker=marker, label=label.replace("$", r"\$"))
    values = [point.value for curves in drawn.values() for c in curves for point in c.points]
    if what == "Train learning rate" and 0 < 10 * min(values) <= max(values):
        axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend()


def line(curve: Curve, against: str) -> tuple[list[float], list[float]]:
    """The x and y of a curve, with a gap where a run begins again at an earlier iteration."""
    xs: list[float] = []
    ys: list[float] = []
    for point in curve.points:
        x = point.iteration if against == "Iters" else point.seconds
        if xs and x < xs[-1]:
            xs.append(math.nan)
            ys.append(math.nan)
        xs.append(x)
        ys.append(point.value)
    return xs, ys
