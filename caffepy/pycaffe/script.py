"""Scripts and modules, run with `caffe` as a module that they can import."""

import argparse
import builtins
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType

from caffepy.pycaffe.alias import install
from caffepy.pycaffe.log import init_log

HELP = """\
Runs a Python script, or a module, in which `import caffe` finds caffepy. All else is as with
`python SCRIPT` and `python -m MODULE`: sys.argv, the folder of the script on sys.path, the exit
code. Caffe's log is shown on stderr, from the severity that GLOG_minloglevel asks for.
"""
EXAMPLES = """\
examples:
  python -m caffepy.pycaffe classify.py --gpu image.jpg result.npy
  python -m caffepy.pycaffe -m pytest test_net.py
"""
# Whose frames come before the user's own in a traceback.
OURS = {
    __file__,
    str(Path(__file__).with_name("__main__.py")),
    runpy.run_module.__code__.co_filename,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run what one command line names (sys.argv's where left out)."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        "python -m caffepy.pycaffe",
        "%(prog)s (SCRIPT | -m MODULE) [ARGUMENT ...]",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module = given[:1] == ["-m"]
    if not module and given[:1] and given[0].startswith("-"):
        parser.parse_args(given[:1])  # --help, or unknown
    if len(given) < 1 + module:
        parser.error("which script, or which module?")
    sys.excepthook = show
    install()
    init_log()
    if module:
        sys.argv = given[1:]
        runpy.run_module(given[1], run_name="__main__", alter_sys=True)
    elif Path(given[0]).is_file():
        run_script(given[0], given)
    else:
        parser.error(f"can't open file {given[0]!r}")


def run_script(path: str, argv: Sequence[str]) -> None:
    """Run a file as Python runs the one that it is given: as the module `__main__`, to the end."""
    file = Path(path).absolute()
    code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    script = ModuleType("__main__")
    script.__file__ = str(file)
    script.__loader__ = SourceFileLoader("__main__", str(file))
    script.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = script
    sys.argv = list(argv)
    sys.path[0] = str(file.resolve().parent)
    exec(code, script.__dict__)


def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Print what a script did not catch as Python does, from the script's first line on."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in OURS:
        traceback = traceback.tb_next
    sys.__excepthook__(kind, error.with_traceback(traceback), traceback)
