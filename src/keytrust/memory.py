"""How a process that holds a whole directory, or runs for months, keeps house."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8  # malloc.h


def relax_garbage_collection() -> None:
    """Let the cyclic collector run rarely.

    A plan keeps hundreds of thousands of small objects that refer to each other in one direction only. The collector
    finds nothing in them, and at its default pace spends a fifth of the whole time on looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def keep_flat() -> None:
    """For a process that runs for months: collect garbage at a steady pace, and let all threads share their memory.

    Little is alive at any time (40,000 objects, which take 50 ms to look at), while statements and clients leave
    hundreds of objects a second in circles: what waits for long is scattered over memory that is then not given back.
    The C library otherwise gives threads up to eight arenas for each processor, and in each of them remains what
    threads that have ended did not use up.
    """
    gc.set_threshold(2_000, 5, 5)
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)
