"""Ctrl-C and SIGTERM, taken where they do no harm.

Python raises KeyboardInterrupt between any two instructions of the main thread. python-ldap does not survive that: its
lock stays taken, and closing the connection then waits for ever. So whatever must not be torn apart is shielded: a
signal that comes meanwhile is remembered, and raised when the shield ends.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _State:
    shields = 0
    pending = False


def install() -> None:
    """Take SIGINT and SIGTERM in this way from now on. For the main thread, once."""
    signal.signal(signal.SIGINT, _on_signal)
    signal.signal(signal.SIGTERM, _on_signal)


@contextmanager
def shielded() -> Iterator[None]:
    """Put off a signal until the end of the block.

    Raises:
        KeyboardInterrupt: at the end of the outermost block, if a signal has come; unless an error is on its way.
    """
    if threading.current_thread() is not threading.main_thread():  # signals come to the main thread only
        yield
        return
    _State.shields += 1
    try:
        yield
    finally:
        _State.shields -= 1
    if pending() and not _State.shields:
        _State.pending = False
        raise KeyboardInterrupt


def pending() -> bool:
    """Whether a signal waits for the shield to end: the work under it should come to a good end soon."""
    return _State.pending


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    if _State.shields:
        _State.pending = True
        return
    raise KeyboardInterrupt
