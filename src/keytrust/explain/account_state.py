"""Whether the account itself may sign in, as one domain controller has it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from keytrust.directory.account import UF_ACCOUNTDISABLE, Entry
from keytrust.explain.model import Link, State, Symptom

ATTRIBUTES = (
    "userAccountControl",
    "msDS-User-Account-Control-Computed",
    "accountExpires",
    "lockoutTime",
    "logonHours",
    "pwdLastSet",
)
"""What has to be read. All but the second are replicated; lockout and expiry of the password are computed."""

UF_LOCKOUT = 0x10
UF_DONT_EXPIRE_PASSWORD = 0x10000
UF_SMARTCARD_REQUIRED = 0x40000
UF_USE_DES_KEY_ONLY = 0x200000
UF_PASSWORD_EXPIRED = 0x800000
"""userAccountControl and msDS-User-Account-Control-Computed bits, [MS-ADTS] 2.2.16 and 3.1.1.4.5.17."""

_NEVER = (0, 0x7FFFFFFFFFFFFFFF)
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_HOURS = 168


@dataclass(frozen=True, slots=True)
class AccountState:
    """What decides whether an account may sign in.

    Attributes:
        control: userAccountControl; None when the connector account may not read it.
        computed: msDS-User-Account-Control-Computed; None when the server does not tell.
        expires: When the account expires; None when never.
        hours: logonHours, 21 bytes of which each bit is an hour of the week in UTC from Sunday 0:00; None for any time.
        password_set: pwdLastSet; 0 means that the password must be changed.
    """

    control: int | None
    computed: int | None
    expires: datetime | None
    hours: bytes | None
    password_set: int | None


def from_entry(entry: Entry) -> AccountState:
    """Read the attributes of an entry, whatever the case in which the server spells their names."""
    first = {name.lower(): values[0] for name, values in entry.items() if values}

    def integer(name: str) -> int | None:
        value = first.get(name.lower())
        try:
            return None if value is None else int(value)
        except ValueError:
            return None

    expires = integer("accountExpires")
    hours = first.get("logonhours")
    return AccountState(
        control=integer("userAccountControl"),
        computed=integer("msDS-User-Account-Control-Computed"),
        expires=None if expires is None or expires in _NEVER else _moment(expires),
        hours=hours if hours is not None and len(hours) == _HOURS // 8 else None,
        password_set=integer("pwdLastSet"),
    )


def link(state: AccountState, *, samba: bool, now: datetime) -> Link:
    """The link for an account in this state: the first thing that keeps it out, or that nothing does."""
    if state.control is None:
        return Link(
            "account",
            State.CANNOT_TELL,
            "Whether the account is enabled the domain controller does not tell: userAccountControl may not be read.",
            "Let the connector account read the account, userAccountControl at the least.",
        )
    evidence = (("userAccountControl", f"0x{state.control:x}"),)
    for fault in _faults(state, state.control, samba=samba, now=now):
        return Link("account", fault.state, fault.sentence, fault.remedy, fault.symptom, evidence)
    smartcard = "; a smart card is required for it, which a key is" if state.control & UF_SMARTCARD_REQUIRED else ""
    return Link(
        "account", State.OK, f"The account is enabled, not expired and not locked{smartcard}.", evidence=evidence
    )


def _faults(state: AccountState, control: int, *, samba: bool, now: datetime) -> Iterator[Link]:
    def problem(sentence: str, remedy: str, symptom: Symptom | None = None) -> Link:
        return Link("account", State.PROBLEM, sentence, remedy, symptom)

    computed = state.computed or 0
    if control & UF_ACCOUNTDISABLE:
        yield problem("The account is disabled.", "Enable it.", Symptom.DISABLED)
    if state.expires is not None and state.expires <= now:
        yield problem(
            f"The account expired on {state.expires:%Y-%m-%d %H:%M} UTC.", "Extend accountExpires.", Symptom.EXPIRED
        )
    if (computed | control) & UF_LOCKOUT:
        yield problem("The account is locked out.", "Unlock it, or wait for the lockout to end.", Symptom.LOCKED)
    if state.hours is not None and not _allowed(state.hours, now):
        yield problem(
            f"It is outside the account's logon hours (now {now:%A %H:%M} UTC).", "Widen logonHours.", Symptom.HOURS
        )
    if control & UF_USE_DES_KEY_ONLY:
        yield problem(
            "The account is limited to DES keys, which no domain controller uses any more.",
            'Clear "Use only Kerberos DES encryption types".',
        )
    if computed & UF_PASSWORD_EXPIRED or state.password_set == 0:
        yield _password_expired(samba=samba, must_change=state.password_set == 0)
    if state.computed is None:
        yield Link(
            "account",
            State.CANNOT_TELL,
            "The account is enabled and not expired; whether it is locked out the domain controller does not tell.",
            "Let the connector account read msDS-User-Account-Control-Computed.",
        )


def _password_expired(*, samba: bool, must_change: bool) -> Link:
    what = "The password must be changed at the next sign-in" if must_change else "The account's password has expired"
    remedy = "Let the user set a new password, or let it not expire."
    if samba:
        return Link(
            "account", State.PROBLEM, f"{what}; Samba then refuses sign-in by key too.", remedy, Symptom.PASSWORD
        )
    return Link("account", State.CANNOT_TELL, f"{what}; whether that stops a sign-in by key depends on policy.", remedy)


def _allowed(hours: bytes, now: datetime) -> bool:
    hour = (now.isoweekday() % 7) * 24 + now.hour
    return bool(hours[hour // 8] >> (hour % 8) & 1)


def _moment(filetime: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=filetime // 10)
    except OverflowError:
        return None
