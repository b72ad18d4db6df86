"""Old nets and solvers from text, for the tests of this folder."""

from caffepy.errors import NetError
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import Pass
from caffepy.proto import NetParameter
from caffepy.proto.files import parse_text


def net(text: str) -> Entry[NetParameter]:
    """A net with the places of its fields, none of the text's own first line break counted."""
    return Entry(*parse_text(text.lstrip("\n").encode(), NetParameter, "net.prototxt"))


def check_upgrade(step: Pass, old: str, new: str) -> Entry[NetParameter]:
    """Hold one pass to a net before and after it, and to changing nothing else."""
    before = net(old)
    assert step.needed(before.message)
    after, problems = step.upgrade(before)
    assert after.message == net(new).message
    assert problems == []
    assert before == net(old)
    return after


def refusals(step: Pass, text: str) -> list[str]:
    """The lines of the error that an old net raises."""
    try:
        step.upgrade(net(text))
    except NetError as error:
        return str(error).splitlines()
    return []
