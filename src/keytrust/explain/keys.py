"""The chains of an account's keys: registered, acceptable, written, and at each domain controller. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keytrust.cloud.source import NGC, CloudUser, RegisteredKey, Reported
from keytrust.credential import objections
from keytrust.explain.model import KeyChain, Link, State, Symptom
from keytrust.sync.journal import JournalEntry, Outcome
from keytrust.sync.keycheck import key_faults
from keytrust.sync.model import Action, Refusal, RefusalCode
from keytrust.sync.stored import StoredKey

_REPLICATION = "Look at replication: repadmin /showrepl on Windows, samba-tool drs showrepl on Samba."
_ALLOW = {
    RefusalCode.ROCA_WEAK: "Update the TPM's firmware and enrol again; [policy] allow would let the weak key in.",
    RefusalCode.WEAK_RSA: "Enrol again with an RSA key of 2048 bits.",
    RefusalCode.SHARED_KEY: "Find out whose key it is before anything else; keytrust audit lists shared keys.",
    RefusalCode.UNKNOWN_STATE: "Let the connector account read the account, userAccountControl at the least.",
    RefusalCode.PRIVILEGED: "List the account in privileged_accounts of [policy], if it shall have a key.",
    RefusalCode.UNREADABLE: "Enrol again; what was registered is not an RSA key in the form domain controllers read.",
}


@dataclass(frozen=True, slots=True)
class Holding:
    """What one domain controller holds of the account.

    Attributes:
        host: Its DNS name.
        samba: Whether it is Samba; else Windows.
        keys: The account's values there; None when it could not be asked.
        fault: Why it could not be asked.
    """

    host: str
    samba: bool
    keys: tuple[StoredKey, ...] | None
    fault: str = ""


def key_chains(
    user: CloudUser | None,
    holdings: Sequence[Holding],
    *,
    refusals: Iterable[Refusal],
    entries: Sequence[JournalEntry],
    undecided: Link | None = None,
) -> tuple[KeyChain, ...]:
    """A chain for each Windows Hello for Business key that is registered, or that a domain controller holds.

    Args:
        user: The account's cloud user when it is certain.
        holdings: What each domain controller holds.
        refusals: The keys that policy does not let through.
        entries: The journal's changes of this account, oldest first.
        undecided: The link that says why the cloud's word on the keys is not to be had, when it is not.
    """
    registered = {key.key_id: key for key in (user.keys.keys if user else ()) if key.key_type == NGC}
    held = {
        key.key_id: key for holding in holdings for key in holding.keys or () if key.key_id is not None and key.serves
    }
    refused = {refusal.key_id: refusal for refusal in refusals}
    chains = []
    for key_id in (*registered, *(key_id for key_id in held if key_id not in registered)):
        key, there = registered.get(key_id), held.get(key_id)
        at = {holding.host: _at(key_id, holding, holdings) for holding in holdings}
        links = (
            _registered(key, user, undecided),
            _acceptable(key, refused.get(key_id)),
            _written(key_id, there is not None, [e for e in entries if e.change.key_id == key_id]),
        )
        chains.append(KeyChain(key_id, *_origin(key, there), links, at))
    return tuple(chains)


def _origin(key: RegisteredKey | None, there: StoredKey | None) -> tuple[UUID | None, datetime | None]:
    credential = there.credential if there else None
    stored = credential.created if credential else None
    device = key.device_id if key and key.device_id else (credential.device_id if credential else None)
    return device, key.created if key and key.created else (stored.datetime() if stored else None)


def _registered(key: RegisteredKey | None, user: CloudUser | None, undecided: Link | None) -> Link:
    if key is not None:
        when = f" on {key.created:%Y-%m-%d %H:%M:%S} UTC" if key.created else ", when the cloud does not say"
        device = f"from device {key.device_id}" if key.device_id else "from a device that the cloud does not name"
        return Link("registered", State.OK, f"Registered{when}, {device}.")
    if user is None or not isinstance(user.keys, Reported):
        why = undecided.sentence if undecided else ""
        return Link("registered", State.CANNOT_TELL, f"Whether it is registered cannot be told. {why}".strip())
    return Link("registered", State.OK, "Not registered (any more); it signs in as long as it is on the account.")


def _acceptable(key: RegisteredKey | None, refusal: Refusal | None) -> Link:
    if refusal is not None:
        return Link("acceptable", State.PROBLEM, refusal.sentence, _ALLOW[refusal.code], Symptom.NO_KEY)
    if key is None:
        return Link("acceptable", State.OK, "It is on the account already.")
    faults = key_faults(key.material)
    if faults:  # allowed by policy, or not judged because the match is not certain
        return Link("acceptable", State.OK, f"Allowed by policy although {faults[0].sentence}.")
    return Link("acceptable", State.OK, "The key is fit to be written.")


def _written(key_id: bytes, there: bool, entries: Sequence[JournalEntry]) -> Link:
    done = [e for e in entries if e.outcome in (None, Outcome.CONFIRMED, Outcome.UNCONFIRMED)]
    last = done[-1] if done else None
    if there:
        if last is None or last.change.action is Action.REMOVE:
            return Link("written", State.OK, "On the account; written by somebody else than keytrust.")
        return Link("written", State.OK, f"Written {_when(last)} to {last.server} by run {last.run}.")
    if last is None:
        failed = next((e for e in reversed(entries) if e.outcome is Outcome.FAILED), None)
        if failed is not None:
            return _not_written(
                f"Writing failed {_when(failed)} at {failed.server}: {failed.detail}.", "See the cause."
            )
        return _not_written(
            "The key is not written to Active Directory yet.",
            "Run keytrust sync, or look whether keytrust run is at work.",
        )
    if last.change.action is Action.REMOVE:
        return _not_written(
            f"Removed {_when(last)} by run {last.run}: {last.change.reason}.",
            f"keytrust undo {last.run} takes it back.",
        )
    return _not_written(
        f"Written {_when(last)} to {last.server} by run {last.run}, and not there now: somebody removed it.",
        "See the directory's audit events. Some Windows Server 2016 and 2019 builds delete the key at sign-in:"
        " update those domain controllers. keytrust sync writes it again.",
    )


def _not_written(sentence: str, remedy: str) -> Link:
    return Link("written", State.PROBLEM, sentence, remedy, Symptom.NO_KEY)


def _when(entry: JournalEntry) -> str:
    return f"{entry.at[:19].replace('T', ' ')} UTC"


def _at(key_id: bytes, holding: Holding, holdings: Sequence[Holding]) -> Link:
    host = holding.host
    if holding.keys is None:
        return Link("replicated", State.CANNOT_TELL, f"{host} could not be asked: {holding.fault}")
    same = [key for key in holding.keys if key.key_id == key_id]
    evidence = (("values", str(len(holding.keys))),)
    if not same:
        elsewhere = [other.host for other in holdings if any(key.key_id == key_id for key in other.keys or ())]
        if elsewhere:
            sentence = f"The key is at {', '.join(elsewhere)} and has not arrived at {host}."
            return Link("replicated", State.PROBLEM, sentence, _REPLICATION, Symptom.NO_KEY, evidence)
        return Link("replicated", State.PROBLEM, f"The key is not at {host}.", "", Symptom.NO_KEY, evidence)
    why: list[str] = []
    for key in same:
        if not key.serves or key.credential is None:
            why.append("it is stored under a false KeyID or for another use")
            continue
        against = objections(key.credential, samba=holding.samba)
        if not against:
            return Link("replicated", State.OK, f"Arrived at {host}, in a form that it reads.", evidence=evidence)
        why += against
    return Link(
        "replicated",
        State.PROBLEM,
        f"The key is at {host}, which ignores it: {'; '.join(dict.fromkeys(why))}.",
        'Set dialect = "portable" in [directory] (Samba), remove this value and let keytrust write it anew.'
        if holding.samba
        else "Remove this value and let keytrust write it anew.",
        Symptom.NO_KEY,
        evidence,
    )
