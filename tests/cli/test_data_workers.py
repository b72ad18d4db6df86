import argparse
import os

import pytest

from caffepy.cli.data_workers import add_data_workers


def parsed(*argv: str) -> int:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_data_workers(parser)
    workers: int = parser.parse_args(argv).data_workers
    return workers


def test_a_number_of_threads() -> None:
    assert parsed("--data-workers", "3") == 3


def test_unset_it_follows_from_the_cores() -> None:
    assert parsed() == min(os.cpu_count() or 1, 16)


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "many", "1025", ""])
def test_refuses(text: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=r"is not a number of threads, 1 to 1024$"):
        parsed(f"--data-workers={text}")
