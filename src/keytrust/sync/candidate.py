"""Whether a registered key that an account lacks is written there, and as which value (rule 9). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keytrust.cloud.source import RegisteredKey
from keytrust.credential import Dialect, KeyCredentialError, attribute_text, build, canonical_key_id
from keytrust.directory.account import guid_text
from keytrust.sync.keycheck import key_faults
from keytrust.sync.match import CloudIndex
from keytrust.sync.model import AccountRef, Action, Change, Refusal, RefusalCode
from keytrust.sync.policy import Allow, Policy
from keytrust.sync.seen import Seen
from keytrust.sync.stored import creation_time


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key to be added, unless something speaks against it.

    Attributes:
        account: Where.
        key: The key, which a DC would not find there.
        protected: Whether the account is privileged (``adminCount``).
        known: Whether the connector account may read what kind of account it is.
        upn: The account's ``userPrincipalName``.
    """

    account: AccountRef
    key: RegisteredKey
    protected: bool
    known: bool
    upn: str | None


class Judge:
    """Judges candidates when all accounts of all domains have been seen."""

    def __init__(self, cloud: CloudIndex, seen: Seen, policy: Policy, dialect: Dialect, made_at: datetime) -> None:
        """``made_at`` stands in for the creation time of keys of which nobody tells one."""
        self._cloud = cloud
        self._seen = seen
        self._policy = policy
        self._dialect = dialect
        self._made_at = made_at

    def addition(self, candidate: Candidate, earlier: bytes | None) -> Change | Refusal:
        """The change that writes it, or why it is not written; ``earlier`` is the value written before, if any."""
        account, key = candidate.account, candidate.key
        refusal = self._refusal(candidate)
        if refusal is not None:
            return refusal
        try:
            credential = build(
                key.material,
                device_id=key.device_id,
                created=key.created or creation_time(earlier) or self._made_at,
                dialect=self._dialect,
                custom_key_information=key.custom_key_information,
            )
        except KeyCredentialError as error:
            return _refuse(candidate, RefusalCode.UNREADABLE, f"its material cannot be written: {error}")
        device = f", device {key.device_id}" if key.device_id else ""
        when = f" {key.created:%Y-%m-%d %H:%M} UTC" if key.created else ""
        value = attribute_text(credential, account.dn).encode()
        return Change(Action.ADD, account, value, key.key_id, f"registered{when}{device}")

    def _refusal(self, candidate: Candidate) -> Refusal | None:
        account, key, policy = candidate.account, candidate.key, self._policy
        if not candidate.known:
            what = (
                "the connector account may not read its userAccountControl, so that it may be a computer or privileged"
            )
            return _refuse(candidate, RefusalCode.UNKNOWN_STATE, what)
        if candidate.protected and not policy.lists_privileged(account.name, candidate.upn, account.sid, account.dn):
            return _refuse(candidate, RefusalCode.PRIVILEGED, "the account is privileged (adminCount=1)")
        for fault in key_faults(key.material):
            if fault.allowed_by not in policy.allow:
                return _refuse(candidate, fault.code, fault.sentence)
        if Allow.SHARED_KEY not in policy.allow:
            elsewhere = self._seen.holders(canonical_key_id(key.material) or key.key_id) - {account.guid}
            if elsewhere:
                where = ", ".join(guid_text(guid) for guid in sorted(elsewhere)[:3])
                return _refuse(candidate, RefusalCode.SHARED_KEY, f"the same key is on another account ({where})")
            if self._cloud.registered_to(key.key_id) > 1:
                return _refuse(candidate, RefusalCode.SHARED_KEY, "the same key is registered to several cloud users")
        return None


def _refuse(candidate: Candidate, code: RefusalCode, what: str) -> Refusal:
    sentence = f"{candidate.account.name}: key {candidate.key.key_id.hex()[:16]}… refused, {what}."
    return Refusal(code, candidate.account, candidate.key.key_id, sentence)
