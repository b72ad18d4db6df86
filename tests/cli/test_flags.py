"""The spellings of Caffe's flags, and what is said of wrong ones."""

import argparse

import pytest

from caffepy.cli.flags import Parser, UsageError, comma_list, is_flag


@pytest.fixture
def parser() -> Parser:
    parser = Parser("caffepy demo", "shows flags")
    parser.add_argument("--solver")
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--mean-value", type=comma_list, default=[])
    parser.add_argument("--gray", action=argparse.BooleanOptionalAction, default=False)
    parser.add_argument("--normal")
    parser.add_argument("files", nargs="*")
    return parser


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("-solver s.prototxt", ["--solver=s.prototxt"], id="one dash"),
        pytest.param("--solver s.prototxt", ["--solver=s.prototxt"], id="two dashes"),
        pytest.param("-solver=s.prototxt", ["--solver=s.prototxt"], id="equals"),
        pytest.param("-solver=a=b", ["--solver=a=b"], id="equals in the value"),
        pytest.param("-mean_value 1,2", ["--mean-value=1,2"], id="underscore in the name"),
        pytest.param("-solver a_b", ["--solver=a_b"], id="underscore in the value"),
        pytest.param("-iterations -1", ["--iterations=-1"], id="negative"),
        pytest.param("--iterations=-1", ["--iterations=-1"], id="negative after equals"),
        pytest.param("-solver -odd-name", ["--solver=-odd-name"], id="a value like a flag"),
        pytest.param("-gray", ["--gray"], id="switch"),
        pytest.param("-nogray", ["--no-gray"], id="switched off"),
        pytest.param("--no_gray", ["--no-gray"], id="switched off, our spelling"),
        pytest.param("-gray=true", ["--gray"], id="true"),
        pytest.param("-gray=1", ["--gray"], id="one"),
        pytest.param("-gray=false", ["--no-gray"], id="false"),
        pytest.param("-gray=0", ["--no-gray"], id="zero"),
        pytest.param("-normal x", ["--normal=x"], id="a name that begins with no"),
        pytest.param("-gray a_b -solver c d", ["--gray", "--solver=c", "a_b", "d"], id="words"),
        pytest.param("-gray -- -solver c", ["--gray", "--", "-solver", "c"], id="flags ended"),
        pytest.param("a - b", ["a", "-", "b"], id="a single dash is a word"),
    ],
)
def test_normalises_a_spelling_of_caffe(parser: Parser, line: str, expected: list[str]) -> None:
    assert parser.normalise(line.split()) == expected


def test_parses_what_it_normalised(parser: Parser) -> None:
    args = parser.parse(
        ["-iterations", "-1", "my_file", "-nogray", "-mean_value=1,2", "--", "-x_y"]
    )

    assert (args.iterations, args.gray, args.mean_value) == (-1, False, ["1", "2"])
    assert args.files == ["my_file", "-x_y"]


def test_keeps_an_empty_value(parser: Parser) -> None:
    assert parser.parse(["-solver", ""]).solver == ""


def test_the_last_of_a_repeated_flag_counts(parser: Parser) -> None:
    assert parser.parse(["-gray", "-nogray"]).gray is False


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("-slover s", "unknown flag -slover; did you mean '--solver'?", id="unknown"),
        pytest.param("-sol s", "unknown flag -sol", id="no abbreviations"),
        pytest.param("-solver", "--solver needs a value", id="no value"),
        pytest.param("-solver -gray", "the flag -gray follows it", id="flag for a value"),
        pytest.param("-gray=maybe", "--gray is true or false, and got 'maybe'", id="no truth"),
        pytest.param("-nogray=true", "--no-gray takes no value", id="value for an off switch"),
        pytest.param("-help=true", "--help takes no value", id="value for --help"),
        pytest.param("-iterations x", "invalid int value: 'x'", id="not a number"),
        pytest.param("-mean_value 1,,2", "an empty name in the list '1,,2'", id="empty in a list"),
    ],
)
def test_refuses(parser: Parser, line: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parser.parse(line.split())

    assert message in str(error.value)
    assert "`caffepy demo --help` lists the flags" in str(error.value)


@pytest.mark.parametrize(
    ("token", "expected"),
    [("-solver", True), ("-solver=x", False), ("-gray", False), ("-unknown", True), ("x", False)],
)
def test_takes_next(parser: Parser, token: str, expected: bool) -> None:
    assert parser.takes_next(token) is expected


def test_comma_list_of_nothing_is_empty() -> None:
    assert comma_list("") == []


def test_comma_list_strips_spaces() -> None:
    assert comma_list("a, b") == ["a", "b"]


@pytest.mark.parametrize(("token", "expected"), [("-x", True), ("--", True), ("-", False)])
def test_is_flag(token: str, expected: bool) -> None:
    assert is_flag(token) is expected
