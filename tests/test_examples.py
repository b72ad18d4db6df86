"""Every prototxt that is shipped can be read, and those of one example fit together."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from caffepy.graph.load import load_graph
from caffepy.graph.solver_nets import read_solver, train_graph
from caffepy.net.build import build_net
from caffepy.proto import TEST, TRAIN, LayerParameter, NetState, SolverParameter
from caffepy.proto.files import read_text

ROOT = Path(__file__).parents[1]
SHIPPED = [
    path for folder in ("examples", "models") for path in (ROOT / folder).rglob("*.prototxt")
]
SOLVERS = [path for path in SHIPPED if "solver" in path.name]
DEPLOYED = [path for path in SHIPPED if "deploy" in path.name]
TRAINED = [path for path in SHIPPED if path not in SOLVERS + DEPLOYED]
DIGITS = ROOT / "examples/digits"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOLVERS, ids=name)
def test_solver(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths count from the top of the project, or from the solver's own folder."""
    param, _ = read_text(path, SolverParameter)
    monkeypatch.chdir(ROOT if (ROOT / param.net).exists() else path.parent)

    solver = read_solver(path)

    assert solver.problems == ()
    assert train_graph(solver).problems == ()


@pytest.mark.parametrize("path", TRAINED, ids=name)
@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
def test_net_to_train(path: Path, phase: int) -> None:
    assert load_graph(path, NetState(phase=phase)).problems == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("path", DEPLOYED, ids=name)
def test_net_to_deploy(path: Path) -> None:
    net = build_net(load_graph(path, NetState(phase=TEST)))

    assert net.outputs == ["prob"]


def learning(path: Path) -> dict[str, LayerParameter]:
    """The layers of a net that have blobs, in phase TEST, without what only training reads."""
    layers = {}
    for node in load_graph(path, NetState(phase=TEST)).nodes:
        param = LayerParameter()
        param.CopyFrom(node.param)
        del param.param[:]
        for message in (param.convolution_param, param.inner_product_param):
            message.ClearField("weight_filler")
            message.ClearField("bias_filler")
        if param.type in ("Convolution", "InnerProduct"):
            layers[param.name] = param
    return layers


def test_the_digits_are_classified_by_the_net_that_was_trained() -> None:
    trained = learning(DIGITS / "lenet_train_test.prototxt")

    assert learning(DIGITS / "lenet_deploy.prototxt") == trained
    assert list(trained) == ["conv1", "conv2", "ip1", "ip2"]


def test_there_is_a_label_for_each_digit() -> None:
    assert len((DIGITS / "labels.txt").read_text().splitlines()) == 10


CIFAR = ROOT / "examples/cifar10"


def write_images(folder: Path) -> None:
    """Two images to train with and one to test with of each of three classes."""
    for number, name in enumerate(["cat", "airplane", "dog"]):
        for part, count in (("train", 2), ("test", 1)):
            (folder / part / name).mkdir(parents=True)
            for image in range(count):
                path = folder / part / name / f"{image}.png"
                Image.new("RGB", (32, 32), (90 * number, 80 * image, 7)).save(path)


def make_lists(folder: Path) -> subprocess.CompletedProcess[str]:
    script: list[str | Path] = [sys.executable, CIFAR / "make_lists.py", "images"]
    return subprocess.run(script, cwd=folder, check=False, capture_output=True, text=True)


def test_labels_count_the_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_images(tmp_path / "images")

    assert make_lists(tmp_path).returncode == 0

    assert (tmp_path / "test.txt").read_text().splitlines() == [
        "test/airplane/0.png 0",
        "test/cat/0.png 1",
        "test/dog/0.png 2",
    ]
    assert len((tmp_path / "train.txt").read_text().splitlines()) == 6


def test_classes_that_differ(tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    (tmp_path / "images/test/dog").rename(tmp_path / "images/test/dgo")

    assert "only train or only test has: dgo, dog" in make_lists(tmp_path).stderr
    assert "no folder of a class in it" in make_lists(tmp_path / "images").stderr


@pytest.mark.slow
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_the_script_leads_from_images_to_a_chart(tmp_path: Path, packed: bool) -> None:
    write_images(tmp_path / "source")
    source = "source"
    if packed:
        source = "source.tar.xz"
        with tarfile.open(tmp_path / source, "w:xz") as archive:
            for part in ("train", "test"):
                archive.add(tmp_path / "source" / part, part)
    example, work = tmp_path / "example", tmp_path / "work"
    shutil.copytree(CIFAR, example)
    solver = example / "cifar10_quick_solver.prototxt"
    text = re.sub(r"(test_iter|display|max_iter): \d+", r"\1: 1", solver.read_text())
    solver.write_text(text)
    work.mkdir()
    (work / "caffepy").write_text(f'#!/bin/sh\nexec {sys.executable} -m caffepy "$@"\n')
    (work / "caffepy").chmod(0o755)
    python = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{work}:{python}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(ROOT)

    done = subprocess.run(
        [example / "cifar10.sh", f"../{source}"],
        cwd=work,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "accuracy = " in done.stdout
    assert (work / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert (work / "cifar10_quick_iter_1.caffemodel").exists()
    assert sorted(path.name for path in (tmp_path / "source").iterdir()) == ["test", "train"]
