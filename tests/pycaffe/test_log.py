import logging
import re
from collections.abc import Iterator

import pytest

import caffepy.pycaffe as caffe

solver = logging.getLogger("caffepy.solver.solver")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    caffe.init_log(stderr=False)
    logging.getLogger("caffepy").setLevel(logging.NOTSET)


def test_after_init_log_lines_are_shown_as_caffe_writes_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    caffe.init_log()
    caffe.init_log()

    solver.info("Iteration 0, lr = 0.01")
    caffe.log("Using devices [0, 1]")

    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"I\d{4} [\d:.]+ +\d+ test_log\.py:\d+\] Iteration 0, lr = 0\.01", first)
    assert re.fullmatch(r"I\d{4} .* test_log\.py:\d+\] Using devices \[0, 1\]", second)


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_lines_of_less_severity_are_hidden(
    how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "argument":
        caffe.init_log(2)
    else:
        monkeypatch.setenv("GLOG_minloglevel", "2")
        caffe.init_log()

    solver.warning("hidden")
    solver.error("shown")

    assert capsys.readouterr().err.endswith("] shown\n")


def test_lines_may_go_to_the_handlers_of_a_script_alone(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caffe.init_log(0, False)

    solver.info("Iteration 0")

    assert capsys.readouterr().err == ""
    assert caplog.messages == ["Iteration 0"]


def test_there_are_four_severities() -> None:
    with pytest.raises(ValueError, match="level is '7', and may be 0, 1, 2 or 3"):
        caffe.init_log(7)
