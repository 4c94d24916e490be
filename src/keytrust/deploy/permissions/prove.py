"""The proof that counts: a key added to a test account and deleted again, as the connector account.

The key is made for this and its private half thrown away at once. It carries a device id of its own, by which one that
was left behind by a proof cut short is found and deleted by the next.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from keytrust.credential import attribute_text, build, rsa1_from_key
from keytrust.deploy.errors import SetupError
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.sync.journal import Outcome
from keytrust.sync.model import AccountRef, Action, Change
from keytrust.sync.report import RunReport
from keytrust.sync.runs import Runs
from keytrust.sync.stored import StoredKey

MARK = UUID("6b657974-7275-7374-2d70-726f6f660000")
"""Device id of test keys: the letters ``keytrust-proof``."""
_REASON = "proof that the connector account may write"


def prove(runs: Runs, domain: Domain, account: Account) -> list[str]:
    """Add a test key to ``account`` and delete it again; returns the runs it took, as in the journal.

    Raises:
        SetupError: it was refused, or is not seen when read back; the sentence says which half failed.
    """
    made: list[str] = []
    left = [value for value in account.values if _is_test_key(value) and runs.journal.wrote(account.guid, value)]
    if left:
        made.append(_must(runs, account, [_change(Action.REMOVE, account, value) for value in left], "deleted").run)
    value = _test_value(domain, account)
    made.append(_must(runs, account, [_change(Action.ADD, account, value)], "added").run)
    stored = [raw for raw in domain.values_of([account.guid]).get(account.guid, ()) if _is_test_key(raw)]
    removals = [_change(Action.REMOVE, account, raw) for raw in stored if runs.journal.wrote(account.guid, raw)]
    made.append(_must(runs, account, removals, "deleted").run)
    return made


def _must(runs: Runs, account: Account, changes: list[Change], what: str) -> RunReport:
    report = runs.carry_out("prove", changes)
    bad = next((result for result in report.results if result.outcome is not Outcome.CONFIRMED), None)
    if bad is not None or not changes:
        raise SetupError(
            f"A test key could not be {what} on {account.name}: {bad.detail if bad else 'it is not there any more'}.",
            not_done="The connector account is not proven to have its right.",
            remedy="Run keytrust setup permissions, or look at the account: is it protected, does it inherit?",
        )
    return report


def _change(action: Action, account: Account, value: bytes) -> Change:
    return Change(action, AccountRef.of(account), value, StoredKey.read(value).key_id or b"", _REASON)


def _test_value(domain: Domain, account: Account) -> bytes:
    material = rsa1_from_key(generate_private_key(65537, 2048).public_key())
    credential = build(material, device_id=MARK, created=datetime.now(UTC), dialect=domain.dialect)
    return attribute_text(credential, account.dn).encode()


def _is_test_key(value: bytes) -> bool:
    credential = StoredKey.read(value).credential
    return credential is not None and credential.device_id == MARK
