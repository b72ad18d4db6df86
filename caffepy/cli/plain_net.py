"""The net of a prototxt in today's format, for verbs that show it as it is written."""

import logging

from caffepy.errors import NetError
from caffepy.graph.problem import refuse_errors
from caffepy.graph.upgrade.entry import Entry
from caffepy.graph.upgrade.passes import plain_net
from caffepy.proto import NetParameter
from caffepy.proto.files import read_text

log = logging.getLogger(__name__)


def read_plain_net(path: str) -> NetParameter:
    """The message of a net, an old one upgraded; what got lost on the way is warned of.

    Raises:
        ParseError: the file is missing, or is no net.
        NetError: it has no layers, or cannot be upgraded.
    """
    net, problems = plain_net(Entry(*read_text(path, NetParameter)))
    for problem in refuse_errors(problems, NetError):
        log.warning("%s", problem)
    if not net.message.layer:
        raise NetError(f"{path}: the net has no layers")
    return net.message
