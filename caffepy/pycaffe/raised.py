"""What a Python layer raises, as the script that runs the net would catch it."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from caffepy.errors import LayerError, UserCodeError

P = ParamSpec("P")
T = TypeVar("T")


def raising_theirs(method: Callable[P, T]) -> Callable[P, T]:
    """Let through what users' classes raise, as they raised it, with a note that names the layer.

    Everywhere else it is a LayerError; here a script may wait for an exception of its own.
    """

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except LayerError as error:
            theirs = _origin(error)
            if theirs is None:
                raise
            theirs.add_note(str(error))
        raise theirs  # out of the handler, which would give it another context than its own

    return call


def _origin(error: BaseException | None) -> Exception | None:
    """The exception of a user's class that an error tells of."""
    while isinstance(error, LayerError):
        if isinstance(error, UserCodeError):
            return error.raised
        error = error.__cause__
    return None
