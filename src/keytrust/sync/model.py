"""The plan and its parts: what will be changed, what will not, and why. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keytrust.directory.account import Account


class Action(StrEnum):
    """A change is of one value, never of the attribute as a whole (rule 1)."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class AccountRef:
    """Which account: ``guid`` identifies it, the rest is for people and for noticing that it moved."""

    guid: bytes
    dn: str
    sid: str
    name: str

    @classmethod
    def of(cls, account: Account) -> AccountRef:
        return cls(account.guid, account.dn, account.sid, account.name)


@dataclass(frozen=True, slots=True)
class Change:
    """One value to add to, or remove from, one account.

    Attributes:
        action: Add or remove.
        account: Whose.
        value: The attribute value's exact bytes: to be stored, or as stored.
        key_id: SHA-256 of the key material; empty for a value of which that is not known (only ever in an undo).
        reason: Why, for the person who reviews the plan and for the journal.
    """

    action: Action
    account: AccountRef
    value: bytes
    key_id: bytes
    reason: str


class ConflictCode(StrEnum):
    """Why a cloud user and an account that seem to belong together were left alone (rule 8)."""

    SID_DIFFERS = "sid-differs"
    SID_MISSING = "sid-missing"
    ANCHOR_DIFFERS = "anchor-differs"
    ANCHOR_SHARED_IN_CLOUD = "anchor-shared-in-cloud"
    ANCHOR_SHARED_IN_DIRECTORY = "anchor-shared-in-directory"
    SID_SHARED_IN_CLOUD = "sid-shared-in-cloud"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A disagreement between the two directories that a person has to resolve."""

    code: ConflictCode
    account: AccountRef
    cloud_users: tuple[str, ...]
    sentence: str


class RefusalCode(StrEnum):
    """Why a registered key is not written (rule 9)."""

    ROCA_WEAK = "roca-weak"
    WEAK_RSA = "weak-rsa"
    SHARED_KEY = "shared-key"
    PRIVILEGED = "privileged"
    UNREADABLE = "unreadable"
    VANISHING = "vanishing"
    UNKNOWN_STATE = "unknown-state"
    """The connector account may not read what kind of account it is."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A registered key that is not written, and why."""

    code: RefusalCode
    account: AccountRef
    key_id: bytes
    sentence: str


@dataclass(slots=True)
class Census:
    """What was seen while planning; every number is a count.

    Attributes:
        cloud_users: Users the cloud reported.
        cloud_only: Those without a source anchor, which have no account here.
        accounts: Objects read from the directory.
        matched: Accounts in scope whose cloud user is certain.
        out_of_scope: Accounts that are left alone because they are not in scope, whose cloud user is certain.
        unmatched_users: Cloud users with keys for which this domain has no account.
        registered: Registered Windows Hello for Business keys of matched users.
        present: Those that are in the directory already.
        unknown: Matched users whose key list the cloud did not tell.
        foreign: Values that are not ours to remove, kept.
        unreadable: Values that cannot be read, kept.
        cloud_origin: Values with usage NGC and source Azure AD: the population that the removal share refers to.
    """

    cloud_users: int = 0
    cloud_only: int = 0
    accounts: int = 0
    matched: int = 0
    out_of_scope: int = 0
    unmatched_users: int = 0
    registered: int = 0
    present: int = 0
    unknown: int = 0
    foreign: int = 0
    unreadable: int = 0
    cloud_origin: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """Where and when a plan was made: what it is valid for.

    Attributes:
        domain: DNS name of the domain.
        domain_sid: Its SID, the identity that counts.
        source: Name of the key source.
        made_at: When (aware, UTC).
    """

    domain: str
    domain_sid: str
    source: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run would do and would not do.

    Attributes:
        context: Where and when it was made.
        changes: To be carried out, additions first.
        held: Removals that the limit holds back (rule 4); empty when within it.
        held_because: Why, in one sentence; empty when nothing is held.
        conflicts: Accounts left alone because the two directories disagree.
        refusals: Registered keys that are not written.
        census: What was seen.
        unread: Other configured domains that could not be read: that no account there holds one of these keys, or has
            the source anchor of one of these accounts, was not checked.
    """

    context: Context
    changes: tuple[Change, ...]
    held: tuple[Change, ...] = ()
    held_because: str = ""
    conflicts: tuple[Conflict, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    census: Census = field(default_factory=Census)
    unread: tuple[str, ...] = ()

    @property
    def additions(self) -> int:
        return sum(change.action is Action.ADD for change in self.changes)

    @property
    def removals(self) -> int:
        return len(self.changes) - self.additions
