"""A plan as a JSON file: reviewed by people, applied exactly as seen, refused when its world has moved."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keytrust.credential import KeyCredentialError, KeyCredentialLink
from keytrust.directory.account import guid_text
from keytrust.errors import PlanError
from keytrust.sync.model import AccountRef, Action, Change, Context, Plan

FORMAT = "keytrust-plan-1"
MAX_BYTES = 2_000_000_000
_LARGE = 64 << 20
"""Files from this size on must begin as ``save`` begins them: reading one takes several times its size in memory."""
_BEGINNING = 4096
_FAULTS_TOLD = 20

NOT_DONE = "Nothing was changed."
AGAIN = "Make a new plan, review it and apply that."


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-ready data. ``docs/operate.md`` describes the fields."""
    return {
        "format": FORMAT,
        "domain": plan.context.domain,
        "domainSid": plan.context.domain_sid,
        "source": plan.context.source,
        "madeAt": plan.context.made_at.isoformat(),
        "changes": [_change(change) for change in plan.changes],
        "held": [_change(change) for change in plan.held],
        "heldBecause": plan.held_because,
        "conflicts": [
            {
                "code": conflict.code.value,
                "account": _account(conflict.account),
                "cloudUsers": list(conflict.cloud_users),
                "sentence": conflict.sentence,
            }
            for conflict in plan.conflicts
        ],
        "refusals": [
            {
                "code": refusal.code.value,
                "account": _account(refusal.account),
                "keyId": refusal.key_id.hex(),
                "sentence": refusal.sentence,
            }
            for refusal in plan.refusals
        ],
        "census": asdict(plan.census),
        "unread": list(plan.unread),
    }


def save(plan: Plan, path: Path) -> None:
    """Write the plan to a file for its owner only.

    Raises:
        PlanError: it cannot be written.
    """
    try:
        # Beside it first: the plan is there whole or not at all, and its owner's only, whatever was there before.
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(json.dumps(to_json(plan), indent=2) + "\n")
        partial.replace(path)
    except OSError as error:
        raise PlanError(f"The plan cannot be written to {path}: {error.strerror}.") from error


def load(path: Path) -> Plan:
    """Read a saved plan; what was held, refused or in conflict is not read back, since it is not applied.

    Raises:
        PlanError: it cannot be read, is not a plan, or was damaged.
    """
    try:
        document = _Document.model_validate_json(_read(path))
    except OSError as error:
        raise PlanError(f"The plan {path} cannot be read: {error.strerror}.", not_done=NOT_DONE) from error
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = [f"{'.'.join(map(str, fault['loc'])) or 'document'}: {fault['msg']}" for fault in faults[:_FAULTS_TOLD]]
        raise PlanError(
            f"{path} is not an intact plan ({told[0]}).", not_done=NOT_DONE, remedy=AGAIN, detail="\n".join(told)
        ) from error
    return Plan(
        context=Context(document.domain, document.domainSid, document.source, document.madeAt),
        changes=tuple(change.restore(path) for change in document.changes),
    )


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size >= _LARGE and f'"{FORMAT}"'.encode() not in file.read(_BEGINNING):
            raise PlanError(f"{path} does not begin as a plan.", not_done=NOT_DONE, remedy=AGAIN)
        if size:
            file.seek(0)
        most = max(_LARGE, min(size, MAX_BYTES))  # a pipe or a device does not say its size, and may have no end
        data = file.read(most + 1)
    if len(data) > most:
        raise PlanError(f"{path} is too large to be a plan.", not_done=NOT_DONE)
    return data


def check_still_valid(saved: Plan, fresh: Plan) -> None:
    """Make sure that everything the saved plan does is still called for, judging by a plan made this moment.

    Raises:
        PlanError: the plan is of another domain or source, or something moved; says what.
    """
    for what, then, now in (
        ("domain", saved.context.domain_sid, fresh.context.domain_sid),
        ("key source", saved.context.source, fresh.context.source),
    ):
        if then != now:
            raise PlanError(f"The plan is for the {what} {then}, not {now}.", not_done=NOT_DONE, remedy=AGAIN)
    called_for = {_identity(change): change for change in fresh.changes}
    moved = [text for change in saved.changes if (text := _what_moved(change, called_for, fresh))]
    if moved:
        more = f" (and {len(moved) - 10} more)" if len(moved) > 10 else ""
        raise PlanError(
            "The plan is out of date: " + "; ".join(moved[:10]) + more + ".",
            not_done="None of its changes was made.",
            remedy=AGAIN,
            detail="\n".join(moved),
        )


def _what_moved(change: Change, called_for: dict[tuple[Action, bytes, bytes], Change], fresh: Plan) -> str:
    name = change.account.name
    key = change.key_id.hex()[:16]
    now = called_for.get(_identity(change))
    if now is None:
        held = any(_identity(each) == _identity(change) for each in fresh.held)
        if held:
            return f"{name}: the removal of key {key}… is beyond the limit ({fresh.held_because})"
        why = next((r.sentence for r in fresh.refusals if r.key_id == change.key_id), "")
        why = why or next((c.sentence for c in fresh.conflicts if c.account.guid == change.account.guid), "")
        return f"{name}: to {change.action} key {key}… is no longer called for" + (f" ({why})" if why else "")
    if now.account.dn != change.account.dn:
        return f"{name}: the account is now {now.account.dn}"
    if change.action is Action.REMOVE and now.value != change.value:
        return f"{name}: the stored value of key {key}… has changed"
    return "" if _same_credential(change, now) else f"{name}: the value for key {key}… is not what would be written"


def _same_credential(saved: Change, fresh: Change) -> bool:
    """Whether two values differ at most in their times, which may be those of two different plannings."""
    if saved.value == fresh.value:
        return True
    try:
        then, now = (KeyCredentialLink.parse(change.value) for change in (saved, fresh))
    except KeyCredentialError:
        return False
    return (
        then.dn == now.dn
        and not then.credential.problems()
        and then.credential.key_material == now.credential.key_material
        and then.credential.usage == now.credential.usage
        and then.credential.source == now.credential.source
        and then.credential.device_id == now.credential.device_id
    )


def _identity(change: Change) -> tuple[Action, bytes, bytes]:
    return change.action, change.account.guid, change.key_id


def _account(account: AccountRef) -> dict[str, str]:
    return {"name": account.name, "dn": account.dn, "sid": account.sid, "guid": guid_text(account.guid)}


def _change(change: Change) -> dict[str, Any]:
    return {
        "action": change.action.value,
        "account": _account(change.account),
        "keyId": change.key_id.hex(),
        # Stored values can hold any bytes; surrogates carry those that are not UTF-8 through JSON and back.
        "value": change.value.decode("utf-8", "surrogateescape"),
        "reason": change.reason,
    }


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _AccountDocument(_Strict):
    name: str
    dn: str
    sid: str
    guid: UUID


class _ChangeDocument(_Strict):
    action: Action
    account: _AccountDocument
    keyId: str = Field(pattern="^[0-9a-f]{64}$")  # noqa: N815 - the file's spelling
    value: str
    reason: str

    def restore(self, path: Path) -> Change:
        try:
            value = self.value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise PlanError(f"{path} holds a value that is not one.", not_done=NOT_DONE, remedy=AGAIN) from error
        account = AccountRef(self.account.guid.bytes_le, self.account.dn, self.account.sid, self.account.name)
        return Change(self.action, account, value, bytes.fromhex(self.keyId), self.reason)


class _Document(_Strict):
    format: str = Field(pattern=f"^{FORMAT}$")
    domain: str
    domainSid: str  # noqa: N815
    source: str
    madeAt: datetime  # noqa: N815
    changes: list[_ChangeDocument]
    held: list[Any] = []
    heldBecause: str = ""  # noqa: N815
    conflicts: list[Any] = []
    refusals: list[Any] = []
    census: dict[str, int] = {}
    unread: list[str] = []
