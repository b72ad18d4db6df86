import logging
import re

import pytest

from caffepy.cli.flags import UsageError
from caffepy.cli.log import logging_to_stderr, only_warnings


def test_logs_to_stderr_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("caffepy.somewhere")

    with logging_to_stderr():
        log.info("during")
    log.info("after")

    assert re.fullmatch(r"I.*\] during\n", capsys.readouterr().err)


def test_glog_minloglevel_hides_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "2")
    log = logging.getLogger("caffepy.somewhere")

    with logging_to_stderr():
        log.warning("hidden")
        log.error("shown")

    err = capsys.readouterr().err
    assert "shown" in err
    assert "hidden" not in err


def test_glog_minloglevel_has_four_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "quiet")

    with pytest.raises(UsageError, match="'quiet', and may be 0, 1, 2 or 3"), logging_to_stderr():
        pass


def test_only_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("caffepy.somewhere")

    with logging_to_stderr():
        only_warnings()
        log.info("hidden")
        log.warning("shown")
    with logging_to_stderr():
        log.info("shown again")

    err = capsys.readouterr().err
    assert "hidden" not in err
    assert err.count("shown") == 2
