"""Flags as Caffe's tools take them, put into the words of argparse."""

import argparse
from collections.abc import Iterator, Sequence
from typing import NoReturn

from caffepy.errors import CaffeError, near

TRUE = frozenset(("1", "t", "true", "y", "yes"))
FALSE = frozenset(("0", "f", "false", "n", "no"))

# Flags that all verbs of Caffe's program take, and the verbs that read them.
ELSEWHERE = {
    "--solver": "train",
    "--snapshot": "train",
    "--sigint-effect": "train",
    "--sighup-effect": "train",
    "--model": "test and time",
    "--iterations": "test and time",
    "--weights": "train, test and time",
    "--phase": "time",
}
# glog's, which Caffe's program takes too.
LOGGING = frozenset(("--logtostderr", "--alsologtostderr", "--minloglevel", "--log-dir", "--v"))


class UsageError(CaffeError):
    """A command line that asks for nothing there is; the program exits with 2."""


class Parser(argparse.ArgumentParser):
    """A verb's flags: Caffe's spellings, no abbreviations, every complaint a UsageError."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing: the caller knows how errors look."""
        raise UsageError(f"{message}\n`{self.prog} --help` lists the flags")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """The values of a command line in Caffe's spelling; UsageError where it has none."""
        return self.parse_args(self.normalise(argv))

    def normalise(self, argv: Sequence[str]) -> list[str]:
        """The same command line as argparse wants it: flags first, then files and other words.

        `-x v`, `-x=v` and `--x v` become `--x=v`, whatever v starts with; `_` in a flag's name
        becomes `-`; `--nox` and `--x=false` become `--no-x`; `--` ends the flags. Values and words
        are left as they are.
        """
        flags: list[str] = []
        words: list[str] = []
        rest = iter(argv)
        for token in rest:
            if token == "--":
                words += rest
            elif is_flag(token):
                flags.append(self._flag(token, rest))
            else:
                words.append(token)
        return [*flags, "--", *words] if any(map(is_flag, words)) else [*flags, *words]

    def takes_next(self, token: str) -> bool:
        """Whether the token after this one is its value; so it is taken to be for unknown flags."""
        if not is_flag(token) or "=" in token:
            return False
        option = self._option(token)
        return option is None or self._option_string_actions[option].nargs != 0

    def _option(self, token: str) -> str | None:
        """The option that a flag means, "--no-gray" for "-nogray"; None where there is none."""
        name = token.lstrip("-").partition("=")[0].replace("_", "-")
        spellings = [f"--{name}", f"-{name}"]
        if name.startswith("no"):
            spellings.append(f"--no-{name[2:]}")
        return next((s for s in spellings if s in self._option_string_actions), None)

    def _flag(self, token: str, rest: Iterator[str]) -> str:
        """One flag, with its value from `rest` where it stands in a token of its own."""
        option = self._option(token)
        if option is None:
            name = token.partition("=")[0]
            known = [known for known in self._option_string_actions if known.startswith("--")]
            guess = f"--{name.lstrip('-').replace('_', '-')}"
            self.error(f"unknown flag {name}{_hint(guess, known)}")
        action = self._option_string_actions[option]
        _, equals, value = token.partition("=")
        if action.nargs == 0:
            return self._switch(option, action, value) if equals else option
        if not equals:
            value = self._value(option, rest)
        return f"{option}={value}"

    def _switch(self, option: str, action: argparse.Action, value: str) -> str:
        """A flag without a value that was given one: --gray=false."""
        name = option.removeprefix("--")
        if not isinstance(action, argparse.BooleanOptionalAction) or name.startswith("no-"):
            self.error(f"{option} takes no value, and got {value!r}")
        if value.lower() not in TRUE | FALSE:
            self.error(f"{option} is true or false, and got {value!r}")
        return option if value.lower() in TRUE else f"--no-{name}"

    def _value(self, option: str, rest: Iterator[str]) -> str:
        value = next(rest, None)
        if value is None:
            self.error(f"{option} needs a value")
        if is_flag(value) and self._option(value) is not None:
            self.error(f"{option} needs a value, and the flag {value} follows it")
        return value


def _hint(flag: str, known: list[str]) -> str:
    """What may have been meant by a flag that the verb does not have."""
    if flag in ELSEWHERE:
        return f", which is for {ELSEWHERE[flag]}"
    if flag in LOGGING:
        return "; the log is on stderr, and GLOG_minloglevel=1 before the command thins it out"
    return near(flag, known)


def is_flag(token: str) -> bool:
    """Whether a token of the command line is a flag: "-" alone is a word."""
    return token.startswith("-") and token != "-"


def comma_list(text: str) -> list[str]:
    """The parts of "a,b"; none of "". A part left empty is a mistake."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(parts):
        raise argparse.ArgumentTypeError(f"an empty name in the list {text!r}")
    return parts
