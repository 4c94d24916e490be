"""An explanation and its parts: a chain of links from the registration of a key to the ticket. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class State(StrEnum):
    """What one link says of the sign-in."""

    OK = "ok"
    PROBLEM = "problem"
    CANNOT_TELL = "cannot tell"


class Symptom(StrEnum):
    """What the user sees in Windows, in its own words (KB 4519735 and the deployment guide's known issues)."""

    NO_KEY = "That option is temporarily unavailable. For now, please use a different method to sign in."
    CONTROLLER = "Something went wrong and your PIN isn't available (status: 0xc00000bb, substatus: 0x0)."
    NO_DOMAIN = "We can't sign you in with this credential because your domain isn't available."
    DISABLED = "Your account has been disabled. Please see your system administrator."
    LOCKED = "The referenced account is currently locked out and may not be logged on to."
    EXPIRED = "Your account has expired. Please see your system administrator."
    HOURS = "Your account has time restrictions that keep you from signing in right now."
    PASSWORD = "Your password has expired and must be changed."  # noqa: S105 - what Windows says, not a secret


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain.

    Attributes:
        id: Stable name, for programs.
        state: What it says.
        sentence: What was found, in plain words.
        remedy: What to do; empty when nothing has to be done.
        symptom: What the user sees because of it, when it is a problem and known.
        evidence: What was read, name and value.
    """

    id: str
    state: State
    sentence: str
    remedy: str = ""
    symptom: Symptom | None = None
    evidence: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KeyChain:
    """One key: from its registration to each domain controller.

    Attributes:
        key_id: SHA-256 of the key material.
        device: The device that made it, when known.
        created: When it was registered, when known.
        links: Registered, acceptable, written.
        at: For each domain controller by host name: has the value arrived, and does that vendor's KDC read it.
    """

    key_id: bytes
    device: UUID | None
    created: datetime | None
    links: tuple[Link, ...]
    at: dict[str, Link]


@dataclass(frozen=True, slots=True)
class ControllerChain:
    """One domain controller: can it sign anybody in by key, and does it let this account in.

    Attributes:
        host: Its DNS name.
        writable: Whether it takes changes; None when it could not be asked.
        links: Reached, level, certificate, PKINIT, and the account's state as this controller has it.
    """

    host: str
    writable: bool | None
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole answer for one account.

    Attributes:
        name: sAMAccountName.
        upn: userPrincipalName.
        dn: Distinguished name.
        domain: DNS name of the domain.
        asked_at: When (aware, UTC).
        user: Links about the account and its cloud user, whatever the key and the domain controller.
        keys: One chain for each key that is registered or on the account.
        controllers: One chain for each domain controller.
    """

    name: str
    upn: str | None
    dn: str
    domain: str
    asked_at: datetime
    user: tuple[Link, ...]
    keys: tuple[KeyChain, ...]
    controllers: tuple[ControllerChain, ...]
