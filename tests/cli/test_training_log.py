"""What is read out of logs; the numbers of one that BVLC Caffe wrote, and odd cases."""

import math
from pathlib import Path

import pytest

from caffepy.cli.training_log import Table, TrainingLog, read_training_log
from caffepy.errors import DataError
from tests.cli.logs import GOLDEN, write_log


def numbers(table: Table) -> list[dict[str, float]]:
    """The rows by the names of their columns."""
    names = table.columns()
    return [{names[output]: value for output, value in r.values.items()} for r in table.rows]


def read(tmp_path: Path, text: str) -> TrainingLog:
    return read_training_log(write_log(tmp_path / "log", text))


def test_a_log_of_caffe() -> None:
    log = read_training_log(GOLDEN)

    assert [row.iteration for row in log.train.rows] == [0, 2, 4, 6, 8]
    assert [row["loss"] for row in numbers(log.train)] == [
        *(0.900313, 0.851864, 0.739584, 1.05075, 1.42279)
    ]
    assert [row.rate for row in log.train.rows] == [0.1, 0.1, 0.1, 0.05, 0.05]
    assert [row.iteration for row in log.test.rows] == [0, 4, 8]
    assert numbers(log.test) == [
        {"accuracy": 0.383333, "loss": 1.27109},
        {"accuracy": 0.45, "loss": 1.20774},
        {"accuracy": 0.533333, "loss": 1.02306},
    ]
    assert [row.rate for row in log.test.rows] == [0.1, 0.1, 0.05]
    assert [(point.iteration, point.value) for point in log.losses] == [
        *((0, 0.900313), (2, 0.869054), (4, 1.08679), (6, 1.35591), (8, 1.38439), (10, 0.895519))
    ]
    assert [(point.iteration, point.value) for point in log.rates] == [
        *((0, 0.1), (2, 0.1), (4, 0.1), (6, 0.05), (8, 0.05))
    ]
    assert [round(log.seconds(row.time), 6) for row in log.test.rows] == [
        *(0.000144, 0.000262, 0.000565)
    ]
    assert [output.name for output in log.test.losses] == ["loss"]


def test_numbers_that_are_none(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 0, loss = -nan
            Train net output #0: a = nan
            Train net output #1: b = -nan (* 1 = -nan loss)
            Train net output #2: c = inf
            Train net output #3: d = -inf
            Train net output #4: e = -nan(ind)
            Train net output #5: f = -1.5e-07
        """,
    )

    (row,) = numbers(log.train)
    assert [row["c"], row["d"], row["f"]] == [math.inf, -math.inf, -1.5e-7]
    assert [name for name, value in row.items() if math.isnan(value)] == ["a", "b", "e"]
    assert math.isnan(log.losses[0].value)


def test_the_rate_is_the_iteration_s_own_as_far_as_it_was_logged(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 0, Testing net (#0)
            Test net output #0: a = 0
        Iteration 5, loss = 1
            Train net output #0: b = 1
        Iteration 5, lr = 0.1
        Iteration 10, loss = 1
            Train net output #0: b = 1
        Iteration 10, lr = 0.01
        Iteration 12, Testing net (#0)
            Test net output #0: a = 0
        """,
    )

    assert [row.rate for row in log.train.rows] == [0.1, 0.01]
    assert [row.rate for row in log.test.rows] == [0.1, 0.01]


def test_a_log_without_rates(tmp_path: Path) -> None:
    log = read(tmp_path, "Solving x\nIteration 0, loss = 1\n Train net output #0: b = 1")

    assert math.isnan(log.train.rows[0].rate)


def test_test_nets_share_a_row(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 0, Testing net (#0)
            Test net output #0: accuracy = 0.01
            Test net output #1: loss = 0.02 (* 1 = 0.02 loss)
        Iteration 0, Testing net (#1)
            Test net output #0: accuracy = 0.03
            Test net output #1: top5 = 0.04
        Iteration 5, Testing net (#0)
            Test net output #0: accuracy = 0.51
            Test net output #1: loss = 0.52 (* 1 = 0.52 loss)
        Iteration 5, Testing net (#1)
            Test net output #0: accuracy = 0.53
            Test net output #1: top5 = 0.54
        """,
    )

    assert numbers(log.test) == [
        {"accuracy": 0.01, "loss": 0.02, "accuracy (#1)": 0.03, "top5": 0.04},
        {"accuracy": 0.51, "loss": 0.52, "accuracy (#1)": 0.53, "top5": 0.54},
    ]


def test_the_elements_of_an_output_have_a_column_each(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 0, Testing net (#0)
            Test net output #0: accuracy = 0.5
            Test net output #1: of_class = 0.3
            Test net output #2: of_class = 0.7
        """,
    )

    assert numbers(log.test) == [{"accuracy": 0.5, "of_class[0]": 0.3, "of_class[1]": 0.7}]


def test_a_run_that_was_resumed_in_the_same_file(tmp_path: Path) -> None:
    """It stopped at 15, its last snapshot was that of 10."""
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 10, Testing net (#0)
            Test net output #0: a = 0.1
        Iteration 10, loss = 5
            Train net output #0: b = 5
        Iteration 10, lr = 1
        Iteration 15, loss = 4
            Train net output #0: b = 4
        Solving x
        Resuming from x_iter_10.solverstate
        Iteration 10, Testing net (#0)
            Test net output #0: a = 0.2
        Iteration 10, loss = 3
            Train net output #0: b = 3
        Iteration 10, lr = 2
        """,
    )

    assert [row.iteration for row in log.train.rows] == [10, 15, 10]
    assert [row.rate for row in log.train.rows] == [1, 1, 2]
    assert numbers(log.test) == [{"a": 0.1}, {"a": 0.2}]
    assert [row.rate for row in log.test.rows] == [1, 2]
    assert [log.seconds(row.time) for row in log.test.rows] == [2, 11]


def test_logs_of_two_nets_in_one_file(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 0, loss = 5
            Train net output #0: one = 1
        Solving y
        Iteration 0, loss = 3
            Train net output #0: two = 2
        """,
    )

    assert numbers(log.train) == [{"one": 1}, {"two": 2}]


def test_lines_cut_short_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = read(
        tmp_path,
        """
        Solving x
        Iteration 0, loss = 5
            Train net output #0: one = 0.25 (* 2 = 0.
            Train net output #1: two = 1.5e
            Train net output #2: thr
            Train net output #3: four = 4
        """,
    )

    assert numbers(log.train) == [{"one": 0.25, "four": 4}]
    assert caplog.messages == [
        f"{tmp_path}/log: lines that are cut short are left out: 4, 5",
    ]


def test_the_last_number_of_a_file_may_lack_digits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_log(
        tmp_path / "log",
        """
        Solving x
        Iteration 0, loss = 5
            Train net output #0: one = 1
            Train net output #1: two = 1.5e-05
        """,
    )
    path.write_text(path.read_text().removesuffix("e-05\n"))

    assert numbers(read_training_log(path).train) == [{"one": 1}]
    assert caplog.messages == [f"{path}: lines that are cut short are left out: 4"]


def test_a_line_cut_off_by_a_kill_does_not_hide_the_next_run(tmp_path: Path) -> None:
    path = write_log(tmp_path / "log", "Solving x\nIteration 0, loss = 0.123")
    text = path.read_text().removesuffix("23\n")
    more = write_log(tmp_path / "more", "Iteration 5, loss = 0.5")
    path.write_text(text + more.read_text())

    log = read_training_log(path)

    assert [(point.iteration, point.value) for point in log.losses] == [(5, 0.5)]


def test_scores_of_2014(tmp_path: Path) -> None:
    log = read(
        tmp_path,
        """
        Solving LeNet
        Iteration 0, lr = 0.01
        Iteration 0, loss = 2.3
        Iteration 0, Testing net
        Test score #0: 0.11
        Test score #1: 2.3
        """,
    )

    assert numbers(log.test) == [{"score #0": 0.11, "score #1": 2.3}]
    assert log.test.rows[0].rate == 0.01


def test_outputs_before_any_iteration_belong_to_none(tmp_path: Path) -> None:
    log = read(tmp_path, "Solving x\n Train net output #0: a = 1\nIteration 3, loss = 1")

    assert log.train.rows == []


def test_no_training(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no line says `Iteration N`"):
        read(tmp_path, "Use CPU.\nBatch 0, accuracy = 1")
