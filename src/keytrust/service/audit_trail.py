"""Each write as a log line that can be matched to the domain controllers' own audit events (4662, 5136)."""

from __future__ import annotations

from keytrust.directory.account import KEY_LINK, guid_text
from keytrust.log import logger
from keytrust.sync.journal import Journal
from keytrust.sync.model import Action
from keytrust.sync.trace import value_digest

_OPERATION = {Action.ADD: "%%14674", Action.REMOVE: "%%14675"}
"""OperationType of event 5136: value added, value deleted."""


def log_run(journal: Journal, run: str, connector: str) -> None:
    """Log every change of a run, with what event 5136 says of it."""
    for entry in journal.entries(run=run):
        change = entry.change
        logger().info(
            "directory-write",
            at=entry.at,
            dc=entry.server,
            subject=connector,
            objectDN=change.account.dn,
            objectGUID=guid_text(change.account.guid),
            objectSid=change.account.sid,
            attributeLDAPDisplayName=KEY_LINK,
            operationType=_OPERATION[change.action],
            attributeValueSha256=value_digest(change.value),
            keyId=change.key_id.hex(),
            run=run,
            seq=entry.seq,
            outcome=entry.outcome.value if entry.outcome else None,
            reason=change.reason,
        )
