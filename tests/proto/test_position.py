"""Where a field stands, found by its path."""

import pytest

from caffepy.proto.position import Position

STRIDE = Position("net.prototxt", 9, 5)
FILE = Position(
    "net.prototxt",
    fields={
        "name": [Position("net.prototxt", 1, 1)],
        "layer": [
            Position("net.prototxt", 2, 1),
            Position("net.prototxt", 8, 1, {"stride": [STRIDE, Position("net.prototxt", 10, 5)]}),
        ],
    },
)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        pytest.param((), "net.prototxt", id="the file"),
        pytest.param(("name",), "net.prototxt:1:1", id="a field"),
        pytest.param(("layer",), "net.prototxt:2:1", id="the first of several"),
        pytest.param(("layer", 1), "net.prototxt:8:1", id="one of several"),
        pytest.param(("layer", 1, "stride"), "net.prototxt:9:5", id="nested"),
        pytest.param(("layer", 1, "stride", 1), "net.prototxt:10:5", id="nested, one of several"),
        pytest.param(("layer", 1, "pad"), "net.prototxt:8:1", id="not there: what encloses it"),
        pytest.param(("layer", 7), "net.prototxt", id="no such layer: the file"),
        pytest.param(("layer", 0, "stride", "x"), "net.prototxt:2:1", id="nothing of the path"),
    ],
)
def test_at_finds_the_nearest_place(path: tuple[str | int, ...], place: str) -> None:
    assert str(FILE.at(*path)) == place
