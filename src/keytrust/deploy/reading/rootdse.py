"""What a domain controller says of itself to anybody."""

from __future__ import annotations

from keytrust.deploy.checks.facts import Root, Unread
from keytrust.directory.discovery import ask


def read_root(host: str, timeout: float) -> Root | Unread:
    """Ask ``host`` for its rootDSE, which needs no sign-in and tells nobody anything secret."""
    answer = ask(host, timeout)
    if answer.said is None:
        return Unread(answer.fault)
    said = answer.said
    return Root(vendor=said.vendor, samba=said.samba, level=said.level, read_only=said.read_only, offset=answer.offset)
