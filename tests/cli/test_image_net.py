"""The settings of Caffe's two scripts that run a net on images."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from caffepy.cli.device import DeviceError
from caffepy.cli.flags import Parser, UsageError
from caffepy.cli.image_net import (
    add_image_net,
    image_net_settings,
    read_array,
    read_mean_array,
    whole_numbers,
)
from caffepy.data.mean import write_mean
from caffepy.errors import CaffeError, DataError

NEEDED = ["--model_def", "net", "--pretrained_model", "weights"]


def parsed(*flags: str) -> argparse.Namespace:
    parser = Parser("verb", "")
    add_image_net(parser)
    return parser.parse([*NEEDED, *flags])


def test_left_out_they_are_those_of_caffes_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert image_net_settings(parsed()) == {
        "mean": None,
        "input_scale": None,
        "raw_scale": 255.0,
        "channel_swap": [2, 1, 0],
    }
    assert capsys.readouterr().out == "CPU mode\n"


def test_given(tmp_path: Path) -> None:
    mean = tmp_path / "mean.npy"
    np.save(mean, np.array([1, 2, 3]))

    settings = image_net_settings(
        parsed("--mean_file", str(mean), "--input_scale=0.5", "--raw_scale=1", "--channel_swap=")
    )

    assert settings.pop("mean").tolist() == [1, 2, 3]
    assert settings == {"input_scale": 0.5, "raw_scale": 1.0, "channel_swap": None}


def test_means_of_both_kinds_of_file(tmp_path: Path) -> None:
    mean = np.arange(24.0).reshape(2, 3, 4)
    np.save(tmp_path / "mean.npy", mean)
    write_mean(mean, tmp_path / "mean.binaryproto")

    for name in ("mean.npy", "mean.binaryproto"):
        read = read_mean_array(str(tmp_path / name))
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, mean)


def test_an_array_that_is_no_mean(tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.zeros((2, 3)))

    with pytest.raises(DataError, match=r"not a mean: its shape is \(2, 3\)"):
        read_mean_array(str(tmp_path / "mean.npy"))


@pytest.mark.parametrize("content", [None, b"", b"no array"], ids=["no file", "empty", "text"])
def test_a_file_that_is_no_array(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "array.npy"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(DataError, match=r"array\.npy: cannot be read as a numpy array"):
        read_array(str(path))


def test_numbers_that_are_none() -> None:
    with pytest.raises(UsageError, match="--channel-swap is 2,b; it takes whole numbers"):
        whole_numbers("--channel-swap", ["2", "b"])


@pytest.mark.parametrize("lacking", [0, 2], ids=["net", "weights"])
def test_what_is_needed(lacking: int) -> None:
    parser = Parser("verb", "")
    add_image_net(parser)
    args = parser.parse([*NEEDED[:lacking], *NEEDED[lacking + 2 :]])

    with pytest.raises(CaffeError, match="Need a net and its weights"):
        image_net_settings(args)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match="sees no CUDA device"):
        image_net_settings(parsed("--gpu"))
