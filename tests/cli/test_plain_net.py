"""The net of a prototxt, as it is written but for its format."""

from pathlib import Path

import pytest

from caffepy.cli.plain_net import read_plain_net
from caffepy.errors import NetError, ParseError


def test_an_old_net_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "old.prototxt"
    path.write_text('layers { name: "r" type: RELU bottom: "x" top: "r" }')

    assert [layer.type for layer in read_plain_net(str(path)).layer] == ["ReLU"]


def test_layers_of_all_phases_stay(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "a" type: "ReLU" include { phase: TRAIN } }'
        'layer { name: "b" type: "ReLU" include { phase: TEST } }'
    )

    assert [layer.name for layer in read_plain_net(str(path)).layer] == ["a", "b"]


def test_a_net_without_layers(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text('name: "empty"')

    with pytest.raises(NetError, match=r"net\.prototxt: the net has no layers"):
        read_plain_net(str(tmp_path / "net.prototxt"))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="No such file"):
        read_plain_net(str(tmp_path / "net.prototxt"))
