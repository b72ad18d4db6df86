"""What files of weights did to a net, for whoever trains or tests it."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffepy.net.net import Net
    from caffepy.net.weights import CopyReport

log = logging.getLogger(__name__)


def log_copies(reports: Sequence["CopyReport"]) -> None:
    """Tell which layers have their weights from the files and which from their fillers.

    reports: of one net, a file each, in the order they were copied.
    """
    if not reports:
        return
    copied = list(dict.fromkeys(name for report in reports for name in report.copied))
    log.info("Weights from files: %s", ", ".join(copied))
    _warn_of_fillers(reports)


def log_start(net: "Net", files: Sequence[str], reports: Sequence["CopyReport"]) -> None:
    """Tell, layer by layer, what a net to train starts from, and what of the files it leaves.

    files, reports: as they were copied, in order.
    """
    if not reports:
        return
    log.info("Weights to start from:\n%s", "\n".join(table(start_rows(net, files, reports))))
    for file, report in zip(files, reports, strict=True):
        if report.ignored:
            log.info("Layers of %s that the net does not have: %s", file, ", ".join(report.ignored))
    _warn_of_fillers(reports)


def start_rows(
    net: "Net", files: Sequence[str], reports: Sequence["CopyReport"]
) -> list[tuple[str, ...]]:
    """The head of a table, and a row for each layer with blobs of its own."""
    sources = {
        name: file for file, report in zip(files, reports, strict=True) for name in report.copied
    }
    rates: dict[str, list[float]] = {}
    for entry in net.learnable:
        rates.setdefault(entry.layer, []).append(entry.lr_mult)
    rows: list[tuple[str, ...]] = [("layer", "blobs", "lr_mult", "from")]
    for index, name in enumerate(net.layer_names):
        if name in rates and not all(net.blobs.shared(index)):
            shapes = ["x".join(map(str, blob.shape)) or "1" for blob in net.blobs_of(index)]
            learns = (
                ", ".join(f"{rate:g}" for rate in rates[name]) if any(rates[name]) else "frozen"
            )
            source = sources.get(name, "its fillers: no file has a layer of this name with blobs")
            rows.append((name, ", ".join(shapes), learns, source))
    return rows


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines, with columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            ["", *(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))]
        ).rstrip()
        for row in rows
    ]


def _warn_of_fillers(reports: Sequence["CopyReport"]) -> None:
    copied = {name for report in reports for name in report.copied}
    kept = [name for name in reports[0].kept if name not in copied]
    if kept:
        log.warning("Weights from fillers, since no file has them: %s", ", ".join(kept))
