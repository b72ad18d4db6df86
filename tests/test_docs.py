"""Every command that the README and docs/data.md show is one that works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from caffepy.cli.main import VERBS, load, main
from caffepy.graph.load import load_graph
from caffepy.layers.layer import layer_types
from caffepy.net.build import build_net
from caffepy.net.weights import write_weights
from caffepy.proto import TEST, NetState

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DEMO = (ROOT / "examples/digits/demo.sh").read_text()
DIGITS = "examples/digits/lenet_deploy.prototxt"


def blocks(language: str, page: str = README) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """The commands in the console blocks of a page, each in one line."""
    return [
        " ".join(line.removeprefix("$ ").split())
        for block in blocks("console", page)
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("$ ")
    ]


COMMANDS = [*commands(README), *commands((ROOT / "docs/data.md").read_text())]


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 5


def test_every_shell_block_is_a_console_block() -> None:
    assert blocks("(?:sh|bash|shell)") == []


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_make_knows_the_target(command: str) -> None:
    assert re.search(rf"^{command.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("caffepy ")])
def test_caffepy_takes_the_flags(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, verb, *argv = shlex.split(command.partition("|")[0])
    if verb in VERBS:
        load(verb)[1].parse(argv)
    else:
        assert main([verb, *argv]) == 0
        assert capsys.readouterr().out


@pytest.mark.parametrize("command", commands((ROOT / "docs/data.md").read_text()))
def test_caffepy_takes_the_flags_of_the_page_on_data(command: str) -> None:
    program, verb, *argv = shlex.split(command)

    assert program == "caffepy"
    load(verb)[1].parse(argv)


def test_the_demo_runs_the_main_job() -> None:
    walk = commands(README.partition("## The main job")[2].partition("\n## ")[0])

    assert len(walk) == 6
    assert [command for command in walk if command not in DEMO] == []


def test_no_other_programs_than_these() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"make", "pip", "python", "caffepy"}


def test_the_catalogue_of_layers_is_up_to_date() -> None:
    catalogue = ROOT / "scripts/catalogue"
    page = subprocess.run([sys.executable, catalogue], capture_output=True, text=True, check=True)

    assert (ROOT / "docs/layers.md").read_text() == page.stdout
    assert re.findall(r"^## (\w+)$", page.stdout, re.MULTILINE) == layer_types()


def test_files_of_the_project_exist() -> None:
    names = re.findall(r"(?:examples|docs|proto|models)/[\w/.-]*\w", README)

    assert names
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_links_lead_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    dead = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]

    assert dead == []


@pytest.mark.usefixtures("user_folder")
def test_the_page_of_pycaffe_runs_and_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/pycaffe.md").read_text()
    namespace: dict[str, object] = {}

    for example in blocks("python", page):
        exec(compile(example, "pycaffe.md", "exec"), namespace)

    said = re.findall(r"^print\(.*\)  # (.*)$", page, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said
    assert (tmp_path / "net.dot").exists()


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a folder that has what the demo leaves: weights, untrained here."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    net = build_net(load_graph(DIGITS, NetState(phase=TEST)))
    write_weights(net, "demo/lenet_iter_400.caffemodel")

    for example in blocks("python"):
        exec(compile(example, "README.md", "exec"), {})

    assert capsys.readouterr().out.splitlines() == ["torch.Size([5, 10])", "(1, 10)"]
