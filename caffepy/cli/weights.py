"""What files of weights did to a net, for whoever trains or tests it."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffepy.net.weights import CopyReport

log = logging.getLogger(__name__)


def log_copies(reports: Sequence["CopyReport"]) -> None:
    """Tell which layers have their weights from the files and which from their fillers.

    reports: of one net, a file each, in the order they were copied.
    """
    if not reports:
        return
    copied = list(dict.fromkeys(name for report in reports for name in report.copied))
    kept = [name for name in reports[0].kept if name not in copied]
    log.info("Weights from files: %s", ", ".join(copied))
    if kept:
        log.warning("Weights from fillers, since no file has them: %s", ", ".join(kept))
