"""How a process that holds a whole directory keeps house."""

from __future__ import annotations

import gc


def relax_garbage_collection() -> None:
    """Let the cyclic collector run rarely.

    A plan keeps hundreds of thousands of small objects that refer to each other in one direction only. The collector
    finds nothing in them, and at its default pace spends a fifth of the whole time on looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
