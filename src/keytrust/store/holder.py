"""What a lease says of its holder, and which database sessions are that process's."""

from __future__ import annotations

import os
import re
import socket

from keytrust.database import session_name

_HOLDER = re.compile(r" on (.+) \(process (\d+)\)$")


def holder_name(program: str) -> str:
    """What a lease says of its holder."""
    return f"{program} on {socket.gethostname()} (process {os.getpid()})"


def session_of(holder: str) -> str | None:
    """What the sessions on PostgreSQL of a holder are called; None for one who was not named by ``holder_name``."""
    found = _HOLDER.search(holder)
    return session_name(found[1], int(found[2])) if found else None
