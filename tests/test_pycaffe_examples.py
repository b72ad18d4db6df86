"""Every script of examples/pycaffe prints what its README shows, and does what it says."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from caffepy.proto import NetParameter
from caffepy.proto.files import read_text
from caffepy.pycaffe import install
from caffepy.pycaffe.script import run_script

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples/pycaffe"
COMMAND = "python -m caffepy.pycaffe examples/pycaffe/"
# By script, what the README says that it prints.
SHOWN = dict(
    re.findall(
        rf"^\$ {re.escape(COMMAND)}(\w+)\.py\n(.*?)^```",
        (EXAMPLES / "README.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
)
MODULES = {"digits", "digit_layers"}  # what scripts import
NUMBER = re.compile(r"\d+(?:\.\d+)?")

Run = Callable[[str], str]


def said_by(name: str, folder: Path) -> str:
    """What a script prints that is run in a folder."""
    path = str(EXAMPLES / f"{name}.py")
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        patch.chdir(folder)
        patch.setattr(sys, "path", [str(folder), *sys.path])
        patch.setattr(sys, "argv", sys.argv)
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])
        install()
        try:
            run_script(path, [path])
        finally:
            for module in MODULES:
                sys.modules.pop(module, None)
    return said.getvalue()


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which LeNet has learned, and what was printed."""
    folder = tmp_path_factory.mktemp("learned")
    return folder, said_by("learn_lenet", folder)


@pytest.fixture
def run(learned: tuple[Path, str]) -> Run:
    """A script, run where LeNet has learned: what it prints, which is what the README shows."""

    def checked(name: str) -> str:
        said = said_by(name, learned[0])
        assert NUMBER.sub("#", said) == NUMBER.sub("#", SHOWN[name])
        return said

    return checked


@pytest.fixture
def out(learned: tuple[Path, str]) -> Iterator[Path]:
    """Where scripts write; a folder whose nets and weights are still those that were learned."""
    folder = learned[0] / "demo/pycaffe"
    kept = [folder / "lenet_deploy.prototxt", folder / "lenet.caffemodel"]
    before = [path.read_bytes() for path in kept]
    yield folder
    assert [path.read_bytes() for path in kept] == before


def after(words: str, said: str) -> list[float]:
    """The number behind these words, wherever they stand."""
    return [float(number) for number in re.findall(rf"{words} ({NUMBER.pattern})", said)]


def test_the_readme_shows_every_script() -> None:
    scripts = {path.stem for path in EXAMPLES.glob("*.py")}

    assert set(SHOWN) == scripts - MODULES


def test_lenet_learns(learned: tuple[Path, str]) -> None:
    folder, said = learned

    assert NUMBER.sub("#", said) == NUMBER.sub("#", SHOWN["learn_lenet"])
    first, *_, last = after("accuracy", said)
    assert first < last > 0.9
    assert after("first 5 steps", said)[0] > 10 * after("last 5", said)[0]
    assert (folder / "demo/pycaffe/lenet.caffemodel").exists()


def test_an_image_file_is_classified(run: Run) -> None:
    said = run("classify")

    shown, *best = said.splitlines()
    classes, probabilities = zip(*(line.split() for line in best), strict=True)
    assert shown.endswith(f"shows a {classes[0]}")
    assert list(probabilities) == sorted(probabilities, reverse=True)
    assert len(set(classes)) == 5


def test_filters_written_by_hand_compute(run: Run) -> None:
    """Edges where the square begins and ends: at 10 and 22, less half a filter and its border."""
    assert run("net_surgery") == SHOWN["net_surgery"]


def test_every_place_of_a_larger_image_is_scored(run: Run) -> None:
    said = run("fully_convolutional")

    assert "scores (1, 10, 5, 9)" in said
    assert "as the classifier: True" in said
    truths, found = (
        np.array(re.findall(r"\d", line.partition("[")[2]))
        for line in said.splitlines()
        if "[[" in line
    )
    assert np.mean(truths == found) > 0.6


def test_a_net_follows_its_input(run: Run) -> None:
    said = run("reshape")

    assert after("->", said.replace("(", "")) == [1, 5, 360]
    assert said.splitlines()[3:] == SHOWN["reshape"].splitlines()[3:]


def test_python_layers_learn_and_keep_a_state(run: Run) -> None:
    said = run("python_layers")

    first, last = after("loss", said)
    assert first > last
    assert after("accuracy", said)[1] > 0.7
    assert said.splitlines()[2:] == SHOWN["python_layers"].splitlines()[2:]


def test_what_was_learned_before_helps(run: Run, out: Path) -> None:
    said = run("fine_tune")

    tuned, random = after("accuracy", said)
    assert tuned > 0.9 > random
    assert "conv" not in said
    net, _ = read_text(out / "parity.prototxt", NetParameter)
    assert [layer.name for layer in net.layer if layer.param] == ["conv1", "conv2"]


def test_filters_become_pictures(run: Run, out: Path) -> None:
    assert run("show_filters") == SHOWN["show_filters"]

    with Image.open(out / "conv1_filters.png") as picture:
        pixels = np.asarray(picture)
    assert {pixels.min(), pixels.max()} == {0, 255}
    assert (pixels[40:48] == 255).all()  # the line below filters of 5 pixels, 8 times as large


def test_images_climb_their_gradients(run: Run, out: Path) -> None:
    said = run("ascent")

    assert after("grey:", said)[0] < 0.5 < 0.9 < after("after 30 steps:", said)[0]
    lengths = after("length", said)
    assert lengths == sorted(lengths)
    assert len(lengths) == 4
    with Image.open(out / "ascent.png") as picture:
        assert picture.size == (160, 160)


@pytest.mark.usefixtures("out")
def test_weights_are_shared_and_saved(run: Run) -> None:
    assert run("share_and_save") == SHOWN["share_and_save"]


def test_a_hidden_layer_does_better_than_none(run: Run) -> None:
    linear, hidden = after("accuracy", run("logistic_regression"))

    assert 0.6 < linear < 0.85 < 0.9 < hidden


def test_a_script_before_anything_was_learned(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cannot read demo/pycaffe/lenet_deploy"):
        said_by("classify", tmp_path)


@pytest.mark.slow
def test_the_command_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    done = subprocess.run(
        [sys.executable, *f"{COMMAND}net_surgery.py".split()[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOG_minloglevel": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == SHOWN["net_surgery"]
    assert done.stderr == ""
