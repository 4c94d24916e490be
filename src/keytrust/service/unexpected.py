"""What to think of a value that this journal did not write: the audit's rules, with what the service knows.

Nothing is alarming about what another program has a right to write: a registered key (Entra Connect beside us, another
instance), a security key, a computer's own key, a key of AD FS registration with its device. Everything else is told
at once. That a key was registered a moment ago, and that its registration has not arrived in the mirror yet, is no
reason to accuse anybody: then the key source is asked about the very user, within a time limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTimeError
from dataclasses import dataclass

from keytrust.audit.devices import Device, Devices
from keytrust.audit.inspect import inspect
from keytrust.audit.model import AccountKind, Code, Finding, InspectedValue, Severity, Subject
from keytrust.audit.registered import RegisteredKeys
from keytrust.audit.rules import Context, judge
from keytrust.cloud.one_user import UserName, UserSource
from keytrust.cloud.source import CloudUser, KeySource
from keytrust.directory.account import Account
from keytrust.errors import KeytrustError

ASK_SECONDS = 2.0
"""How long the key source has for its answer: a planted key is to be told within five seconds."""
MOST_QUESTIONS = 20
"""Questions about single users for one look at accounts; a flood is judged by what the mirror knows."""

_HARMLESS = {
    Code.ODD_TIME,
    Code.DUPLICATE_KEY,
    Code.STALE_KEY,
    Code.DISABLED_ACCOUNT,
    Code.EXPIRED_ACCOUNT,
    Code.UNUSED_ACCOUNT,
    Code.MANY_KEYS,
    Code.REJECTED_BY_CONTROLLER,
    Code.REGISTERED_MISSING,
    Code.NO_DEVICE,
}
"""Worth a finding in an audit, and no sign that somebody planted the value."""
_EVERYBODY_ELSE = CloudUser(id="", upn="", source_anchor=None, sid=None)
"""Stands for the rest of the cloud, which the service has read: that there is no user for an account is then known."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What is thought of a new value.

    Attributes:
        findings: What speaks against it, worst first; empty when nothing does.
        asked: Whether the key source itself was asked just now.
    """

    findings: tuple[Finding, ...]
    asked: bool = False

    @property
    def severity(self) -> Severity:
        """Of the worst finding."""
        return self.findings[0].severity if self.findings else Severity.INFO

    @property
    def sentence(self) -> str:
        """The worst finding in words, with what else there is."""
        if not self.findings:
            return "nothing speaks against it"
        more = ", ".join(sorted({finding.code.value for finding in self.findings[1:]}))
        return self.findings[0].message + (f"; also {more}" if more else "")


def inspected(account: Account) -> list[InspectedValue]:
    """An account's values, in their order, as ``judge_values`` takes them. Pure."""
    return [inspect(value, account.dn) for value in account.values]


def judge_values(
    account: Account, seen: list[InspectedValue], users: Sequence[CloudUser], devices: Iterable[Device], now: int
) -> dict[bytes, tuple[Finding, ...]]:
    """What speaks against each of an account's values, worst first. Pure.

    Together, since each is judged beside all others of the account: one by one a thousand would take a million looks.

    Args:
        account: As it is now.
        seen: Its values, from ``inspected``.
        users: The cloud users who claim the account, as far as they are known.
        devices: Devices of the directory that the account's values name.
        now: Seconds since 1970.
    """
    subject = Subject(
        dn=account.dn,
        name=account.name,
        upn=account.upn or "",
        kind=AccountKind.COMPUTER if account.computer else AccountKind.USER,
        guid=account.guid,
        sid=account.sid,
        anchor=account.source_anchor,
        enabled=account.enabled,
        privileged=account.protected,
    )
    known = Devices(devices, source="the directory", complete=False)
    context = Context(now, RegisteredKeys([*users, _EVERYBODY_ELSE]), known)
    findings, states = judge(context, subject, seen)
    about: dict[object, list[Finding]] = {}
    for finding in findings:
        if finding.code not in _HARMLESS:
            about.setdefault(finding.evidence.get("value"), []).append(finding)
    registered = {value.identity for value, state in zip(seen, states, strict=True) if state == "registered"}
    judged = {}
    for raw, value in zip(account.values, seen, strict=True):
        against = about.get(value.identity.hex(), [])
        if value.identity in registered:  # on a privileged account that is for the policy to allow, not for an alarm
            against = [finding for finding in against if finding.code is not Code.PRIVILEGED_ACCOUNT]
        judged[raw] = tuple(sorted(against, key=lambda finding: finding.severity.rank))
    return judged


class Inquiry:
    """Asks the key source about single users, each within a time limit, and no more than a few.

    A context manager: an answer that is late is not waited for.
    """

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="inquiry")
        self._left = MOST_QUESTIONS

    def __enter__(self) -> Inquiry:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def user(self, account: Account) -> CloudUser | None:
        """The account's cloud user as registered at this moment; None when that cannot be had."""
        if self._left <= 0 or not isinstance(self._source, UserSource):
            return None
        self._left -= 1
        answer: Future[CloudUser | None] = self._pool.submit(
            self._source.user, UserName(source_anchor=account.source_anchor)
        )
        try:
            return answer.result(ASK_SECONDS)
        except NotInTimeError:
            self._left = 0  # it would keep us from telling of the others
            return None
        except KeytrustError:
            return None
