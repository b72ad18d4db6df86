"""Charts of logs: what is drawn, read from the figure, and the pictures that are written."""

import math
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from PIL import Image

from caffepy.cli.main import main
from caffepy.cli.plot_training_log import CHARTS, Curve, curves_of, draw, line, new_figure
from caffepy.cli.training_log import Point, read_training_log
from tests.cli.logs import GOLDEN, write_log


def plot(*argv: object) -> int:
    return main(["plot_training_log", *map(str, argv)])


@pytest.mark.parametrize(
    ("number", "title", "xs", "ys"),
    [
        (0, "Test accuracy vs. Iters", [0, 4, 8], [0.383333, 0.45, 0.533333]),
        (1, "Test accuracy vs. Seconds", [144e-6, 262e-6, 565e-6], [0.383333, 0.45, 0.533333]),
        (2, "Test loss vs. Iters", [0, 4, 8], [1.27109, 1.20774, 1.02306]),
        (3, "Test loss vs. Seconds", [144e-6, 262e-6, 565e-6], [1.27109, 1.20774, 1.02306]),
        (4, "Train learning rate vs. Iters", [0, 2, 4, 6, 8], [0.1, 0.1, 0.1, 0.05, 0.05]),
        (
            *(5, "Train learning rate vs. Seconds"),
            [196e-6, 229e-6, 285e-6, 532e-6, 587e-6],
            [0.1, 0.1, 0.1, 0.05, 0.05],
        ),
        (
            *(6, "Train loss vs. Iters", [0, 2, 4, 6, 8, 10]),
            [0.900313, 0.869054, 1.08679, 1.35591, 1.38439, 0.895519],
        ),
        (
            *(7, "Train loss vs. Seconds"),
            [172e-6, 219e-6, 275e-6, 522e-6, 577e-6, 646e-6],
            [0.900313, 0.869054, 1.08679, 1.35591, 1.38439, 0.895519],
        ),
    ],
)
def test_the_eight_charts_of_a_log_of_caffe(
    number: int, title: str, xs: list[float], ys: list[float]
) -> None:
    what, against = CHARTS[number]
    figure = new_figure()

    draw(figure, {"a.log": curves_of(read_training_log(GOLDEN), what, [])}, what, against)

    (axes,) = figure.axes
    (drawn,) = axes.lines
    assert axes.get_title() == title
    assert drawn.get_xdata() == pytest.approx(xs, abs=1e-9)
    assert drawn.get_ydata() == pytest.approx(ys)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a.log"]


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")]
)
def test_the_ending_says_what_kind_of_picture(tmp_path: Path, ending: str, magic: bytes) -> None:
    pyplot, backend = "matplotlib.pyplot" in sys.modules, mpl.get_backend(auto_select=False)

    assert plot(0, tmp_path / f"chart.{ending}", GOLDEN) == 0

    assert (tmp_path / f"chart.{ending}").read_bytes().startswith(magic)
    assert ("matplotlib.pyplot" in sys.modules) is pyplot
    assert mpl.get_backend(auto_select=False) == backend


TWO_NETS = """
    Solving x
    Iteration 0, Testing net (#0)
        Test net output #0: top1 = 0.1
        Test net output #1: loss = 2 (* 1 = 2 loss)
        Test net output #2: top5 = 0.3
    Iteration 0, Testing net (#1)
        Test net output #0: top1 = 0.2
    """


def test_several_logs_in_one_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_log(Path("cost $5$.log"), TWO_NETS)
    figure = new_figure()
    what, against = CHARTS[0]
    logs = ["cost $5$.log", str(GOLDEN)]

    draw(figure, {log: curves_of(read_training_log(log), what, []) for log in logs}, what, against)

    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        *(rf"cost \$5\$.log: {name}" for name in ("top1", "top5", "top1 (#1)")),
        str(GOLDEN),
    ]
    assert plot(0, "chart.png", *logs) == 0
    colours = Image.open("chart.png").convert("RGB").getcolors(1 << 20)
    assert {(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)} <= {
        colour for _, colour in colours or []
    }


def test_outputs_can_be_chosen(tmp_path: Path) -> None:
    log = read_training_log(write_log(tmp_path / "log", TWO_NETS))

    assert [curve.name for curve in curves_of(log, "Test accuracy", ["top1 (#1)", "top5"])] == [
        "top5",
        "top1 (#1)",
    ]
    assert curves_of(log, "Test loss", []) == [Curve("loss", [Point(0, 2, 2)])]


def test_a_run_that_was_resumed_leaves_a_gap() -> None:
    points = [Point(0, 0, 5), Point(10, 1, 4), Point(5, 2, 3), Point(10, 3, 2)]

    xs, ys = line(Curve("loss", points), "Iters")

    assert xs[:2] + xs[3:] == [0, 10, 5, 10]
    assert ys[:2] + ys[3:] == [5, 4, 3, 2]
    assert math.isnan(xs[2])
    assert math.isnan(ys[2])
    assert line(Curve("loss", points), "Seconds")[0] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("rates", "scale"), [([0.1, 0.01], "log"), ([0.1, 0.05], "linear"), ([0.1, 0], "linear")]
)
def test_rates_that_fall_far(rates: list[float], scale: str) -> None:
    points = [Point(number, number, rate) for number, rate in enumerate(rates)]
    figure = new_figure()

    draw(figure, {"log": [Curve("lr", points)]}, "Train learning rate", "Iters")

    assert figure.axes[0].get_yscale() == scale


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param([8, "a.png", GOLDEN], "'8' is no chart type; there are", id="type"),
        pytest.param(["loss", "a.png", GOLDEN], "  6: Train loss vs. Iters", id="no number"),
        pytest.param([0, "a.bmp", GOLDEN], "'a.bmp' ends with none of .png, .svg, .pdf", id="kind"),
        pytest.param(
            [4, "a.png", GOLDEN, "--output", "x"],
            "--output chooses outputs of test nets, and chart 4 has none",
            id="output",
        ),
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], argv: list[object], message: str) -> None:
    assert plot(*argv) == 2

    assert message in capsys.readouterr().err


def test_a_log_without_such_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "log", "Solving x\nIteration 0, lr = 1")

    for number, (what, against) in enumerate(CHARTS):
        if what != "Train learning rate":
            assert plot(number, tmp_path / "a.png", GOLDEN, log) == 1
            message = f"{log}: has no lines for chart {number}, {what} vs. {against}"
            assert message in capsys.readouterr().err
    assert not (tmp_path / "a.png").exists()


def test_an_unknown_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plot(0, tmp_path / "a.png", GOLDEN, "--output", "acuracy") == 1

    message = "test accuracy: no output 'acuracy'; did you mean 'accuracy'? (it has accuracy)"
    assert message in capsys.readouterr().err


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plot(0, tmp_path / "none/a.png", GOLDEN) == 1

    assert "none/a.png: No such file" in capsys.readouterr().err


def test_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    assert plot(0, tmp_path / "a.png", GOLDEN) == 1

    assert "pip install 'caffepy[plot]'" in capsys.readouterr().err
