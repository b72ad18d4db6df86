"""`caffepy classify_npy`: what Classifier says, as a file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import caffepy.pycaffe as caffe
from caffepy.cli.main import main
from tests.pycaffe.deployed import write_image, write_net

ROOT = Path(__file__).parents[2]
NEEDED = ["--model_def", "deploy.prototxt", "--pretrained_model", "net.caffemodel"]
SIZE = ["--images_dim", "8,9"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_net(tmp_path)
    Path("photos").mkdir()
    for seed, name in enumerate(("b.png", "a.png", "c.jpg")):
        write_image(Path("photos", name), 10, 12 + seed, seed)


def expected(
    *names: str, size: tuple[int, int] = (8, 9), ten: bool = True, **settings: object
) -> np.ndarray:
    given = {"raw_scale": 255, "channel_swap": [2, 1, 0]} | settings
    net = caffe.Classifier("deploy.prototxt", "net.caffemodel", size, **given)  # type: ignore[arg-type] # of several types
    return net.predict([caffe.io.load_image(name) for name in names], ten)


def test_an_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify_npy", "photos/a.png", "out.npy", *NEEDED, *SIZE]) == 0

    np.testing.assert_array_equal(np.load("out.npy"), expected("photos/a.png"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["CPU mode", "Loading file: photos/a.png", "Classifying 1 inputs."]
    assert lines[3].startswith("Done in ")
    assert lines[4:] == ["Saving results into out.npy"]


def test_a_folder_in_the_order_of_names() -> None:
    assert main(["classify_npy", "photos", "out", *NEEDED, *SIZE, "--ext", "png"]) == 0

    with Path("out").open("rb") as file:  # as it was called
        np.testing.assert_array_equal(np.load(file), expected("photos/a.png", "photos/b.png"))


def test_an_array_of_images() -> None:
    image = caffe.io.load_image("photos/a.png")
    np.save("in.npy", image[None])

    assert main(["classify_npy", "in.npy", "out.npy", *NEEDED, *SIZE]) == 0

    np.testing.assert_array_equal(np.load("out.npy"), expected("photos/a.png"))


def test_the_flags_of_caffes_script() -> None:
    np.save("mean.npy", np.array([1.0, 2.0, 3.0]))
    flags = ["--images_dim=6,7", "--center_only", "--mean_file=mean.npy", "--input_scale=0.5"]
    flags += ["--raw_scale=100", "--channel_swap=0,2,1"]

    assert main(["classify_npy", "photos/a.png", "out.npy", *NEEDED, *flags]) == 0

    wanted = expected(
        "photos/a.png",
        size=(6, 7),
        ten=False,
        mean=np.array([1.0, 2.0, 3.0]),
        input_scale=0.5,
        raw_scale=100,
        channel_swap=[0, 2, 1],
    )
    np.testing.assert_array_equal(np.load("out.npy"), wanted)


@pytest.mark.slow
def test_the_script() -> None:
    script = ROOT / "tools" / "classify.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, str(script), "photos/a.png", "out.npy", *NEEDED, *SIZE]
    subprocess.run(argv, check=True, env=environment)

    assert np.load("out.npy").shape == (1, 5)


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        pytest.param(["photos/a.png", "out.npy"], 2, "Need a net and its weights", id="no net"),
        pytest.param(["a", "b", *NEEDED, "--images_dim=8"], 2, "takes height,width", id="size"),
        pytest.param(
            ["photos", "out.npy", *NEEDED, *SIZE, "--ext", "gif"],
            1,
            "photos: there is no *.gif in this folder; see --ext",
            id="no images",
        ),
        pytest.param(
            ["none.png", "out.npy", *NEEDED, *SIZE], 1, "'none.png': No such file", id="no image"
        ),
        pytest.param(
            ["photos/a.png", "no/out.npy", *NEEDED, *SIZE], 1, "there is no folder", id="no target"
        ),
        pytest.param(
            ["photos/a.png", "out.npy", *NEEDED, "--images_dim=5,9"],
            1,
            "a crop of 6x6 does not fit into images of 5x9",
            id="too small",
        ),
        pytest.param(
            ["flat.npy", "out.npy", *NEEDED, *SIZE], 1, "the shape is (6, 6)", id="no images"
        ),
    ],
)
def test_fails(
    capsys: pytest.CaptureFixture[str], argv: list[str], code: int, message: str
) -> None:
    np.save("flat.npy", np.zeros((6, 6)))

    assert main(["classify_npy", *argv]) == code

    assert message in capsys.readouterr().err
    assert not Path("out.npy").exists()
