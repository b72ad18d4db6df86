import pytest

from caffepy.cli.flags import Parser
from caffepy.cli.state import add_state, make_state
from caffepy.proto import TEST, TRAIN, NetState


def test_flags() -> None:
    parser = Parser("caffepy demo", "")
    add_state(parser, "train net")

    args = parser.parse(["-level", "-2", "-stage", "deep,wide"])

    assert (args.level, args.stage) == (-2, ["deep", "wide"])
    assert "level of the train net's state" in parser.format_help()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(make_state(TRAIN, 0, []), NetState(phase=TRAIN), id="phase alone"),
        pytest.param(
            make_state(TEST, 3, ["deep"]), NetState(phase=TEST, level=3, stage=["deep"]), id="all"
        ),
    ],
)
def test_state(state: NetState, expected: NetState) -> None:
    assert state == expected
