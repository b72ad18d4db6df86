import logging
import re
from io import BytesIO

import pytest
from PIL import Image

from caffepy.cli.flags import UsageError
from caffepy.cli.log import logging_to_stderr, only_warnings
from caffepy.data.images import decode_image


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


def test_what_pillow_warns_of_is_not_shown() -> None:
    # A count of five EXIF entries, of which none follows.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x05"
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)

    with logging_to_stderr():
        assert decode_image(file.getvalue()).shape == (8, 8, 3)


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
