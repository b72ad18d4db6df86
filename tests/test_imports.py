"""What an import may load: torch costs seconds, and `caffepy --help` must not pay them."""

import subprocess
import sys

import pytest

from caffepy.cli.main import VERBS

HEAVY = {"torch", "numpy", "lmdb", "PIL", "h5py", "rich", "google"}
TENSORS = {"torch", "lmdb", "PIL", "h5py", "rich"}


def loaded_by(code: str) -> set[str]:
    """The top-level modules in memory after a fresh interpreter has run the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    ("code", "forbidden"),
    [
        pytest.param("import caffepy", HEAVY, id="caffepy"),
        pytest.param("from caffepy.cli.main import main; main(['--help'])", HEAVY, id="help"),
        pytest.param("import caffepy.proto.files, caffepy.proto.position", TENSORS, id="proto"),
        pytest.param("import caffepy.graph.load, caffepy.graph.solver_nets", TENSORS, id="graph"),
        *(
            pytest.param(
                f"from caffepy.cli.main import load; load({verb!r})",
                {"torch"},
                id=f"flags of {verb}",
            )
            for verb in VERBS
        ),
    ],
)
def test_loads_nothing_heavy(code: str, forbidden: set[str]) -> None:
    assert loaded_by(code) & forbidden == set()
