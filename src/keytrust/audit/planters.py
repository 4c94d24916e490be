"""Who could plant a key: everybody who may write the attribute, grouped by principal and not by account.

A domain of 100,000 accounts has a handful of different sets of writers, so what is remembered stays small.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from keytrust.audit.catalogue import CATALOGUE
from keytrust.audit.grants import EXAMPLES, Grant
from keytrust.audit.model import Code, Finding, Severity, fingerprint
from keytrust.directory.security import Right
from keytrust.directory.security.writers import EVERYONE, SELF

_MAX_PRINCIPALS = 10_000
_SHOWN_MEMBERS = 20
_SHOWN, _RESOLVED = 50, 500
"""Principals that are told one by one, and those that are looked up."""

_DOMAIN_RID = re.compile(r"S-1-5-21-\d+-\d+-\d+-(\d+)")
_EXPECTED = {"S-1-5-18", "S-1-5-32-544"}
_EXPECTED_RIDS = {"512", "519", "526", "527"}
_KEY_ADMINS_RIDS = {"526", "527"}
_BROAD = {EVERYONE, "S-1-5-7", "S-1-5-11", "S-1-5-32-545", "S-1-5-32-546", "S-1-5-32-554"}
_BROAD_RIDS = {"513", "514", "515"}
_MEANINGLESS = {"S-1-3-0", "S-1-3-1", "S-1-3-4"}

WELL_KNOWN = {
    EVERYONE: "Everyone",
    "S-1-5-7": "Anonymous",
    "S-1-5-9": "Enterprise Domain Controllers",
    SELF: "the account itself",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-18": "SYSTEM",
    "S-1-5-32-544": "Administrators",
    "S-1-5-32-545": "Users",
    "S-1-5-32-546": "Guests",
    "S-1-5-32-548": "Account Operators",
    "S-1-5-32-554": "Pre-Windows 2000 Compatible Access",
}
_RID_NAMES = {"512": "Domain Admins", "513": "Domain Users", "514": "Domain Guests", "515": "Domain Computers"}
_RID_NAMES |= {"519": "Enterprise Admins", "526": "Key Admins", "527": "Enterprise Key Admins"}


class Principal(NamedTuple):
    """Who a SID is.

    Attributes:
        name: For people.
        members: Everybody who is in it, through groups; empty when it is no group.
        more: How many members were left out of ``members``.
        group: Whether it is known to be a group, so that no members means that nobody is in it.
    """

    name: str
    members: tuple[str, ...] = ()
    more: int = 0
    group: bool = False


Resolve = Callable[[str], Principal | None]
"""Tells who a SID is; None when that is not known."""


@dataclass(slots=True)
class _Seen:
    accounts: int = 0
    privileged: int = 0
    rights: Counter[Right] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class _Rest:
    """Principals beyond those that are told one by one: each owner of a computer that it joined, say."""

    def __init__(self) -> None:
        self._by_severity: dict[Severity, tuple[int, _Seen]] = {}

    def add(self, severity: Severity, name: str, seen: _Seen) -> None:
        number, together = self._by_severity.get(severity, (0, _Seen()))
        together.accounts += seen.accounts
        together.privileged += seen.privileged
        together.rights.update(seen.rights)
        if len(together.examples) < EXAMPLES:
            together.examples.append(f"{name} on {', '.join(seen.examples[:1])}")
        self._by_severity[severity] = (number + 1, together)

    def findings(self) -> Iterator[Finding]:
        """One for each severity."""
        for severity, (number, seen) in sorted(self._by_severity.items(), key=lambda item: item[0].rank):
            principal = Principal(f"{number:,} more principals")
            yield _finding(Code.UNEXPECTED_WRITER, severity, f"more, {severity}", principal, seen)


class Planters:
    """Everybody who could plant a key, over a whole domain.

    Attributes:
        accounts: Accounts whose security descriptor was seen.
    """

    def __init__(self, expected: Iterable[str] = ()) -> None:
        """``expected`` are SIDs or names that may write, beside the administrators and Key Admins."""
        self.accounts = 0
        self._expected = {name.casefold() for name in expected}
        self._seen: dict[str, _Seen] = {}
        self._unreadable = 0
        self._left_out = 0

    def take(self, grants: Iterable[Grant]) -> None:
        """Count accounts, grouped by their writers."""
        for grant in grants:
            self.accounts += grant.accounts
            if grant.writers is None:
                self._unreadable += grant.accounts
                continue
            for sid in {writer.sid for writer in grant.writers}:
                self._count(sid, grant, [writer.right for writer in grant.writers if writer.sid == sid])

    def _count(self, sid: str, grant: Grant, rights: list[Right]) -> None:
        if sid not in self._seen and len(self._seen) >= _MAX_PRINCIPALS:
            self._left_out += 1
            return
        seen = self._seen.setdefault(sid, _Seen())
        seen.accounts += grant.accounts
        seen.privileged += grant.privileged
        for right in rights:
            seen.rights[right] += grant.accounts
        if grant.privileged:
            seen.examples = [*grant.examples, *seen.examples][:EXAMPLES]
        elif len(seen.examples) < EXAMPLES:
            seen.examples = [*seen.examples, *grant.examples][:EXAMPLES]

    def findings(self, resolve: Resolve = lambda _: None) -> Iterator[Finding]:
        """One finding for each principal that should not be able to write."""
        rest = _Rest()
        shown = 0
        ordered = sorted(self._seen.items(), key=lambda item: (-item[1].privileged, -item[1].accounts, item[0]))
        for number, (sid, seen) in enumerate(ordered):
            principal = (resolve(sid) if number < _RESOLVED else None) or Principal(_well_known(sid))
            code, severity = self._judge(sid, principal, seen)
            if code is None:
                continue
            if shown < _SHOWN or code is not Code.UNEXPECTED_WRITER:
                shown += 1
                yield _finding(code, severity, sid, principal, seen)
            else:
                rest.add(severity, principal.name, seen)
        yield from rest.findings()
        if self._unreadable:
            yield _plain(f"the security descriptors of {self._unreadable:,} accounts cannot be read")
        if self._left_out:
            yield _plain(f"there are more than {_MAX_PRINCIPALS:,} principals that may write; the rest are left out")

    def _judge(self, sid: str, principal: Principal, seen: _Seen) -> tuple[Code | None, Severity]:
        rid = _rid(sid)
        if sid in _MEANINGLESS:
            return None, Severity.INFO
        if sid in _BROAD or rid in _BROAD_RIDS:
            return Code.BROAD_WRITER, Severity.CRITICAL
        if rid in _KEY_ADMINS_RIDS and set(seen.rights) - {Right.WRITE_ATTRIBUTE, Right.VALIDATED}:
            return Code.ADPREP_DEFECT, Severity.MEDIUM
        if sid in _EXPECTED or rid in _EXPECTED_RIDS or {sid.casefold(), principal.name.casefold()} & self._expected:
            return None, Severity.INFO
        if principal.group and not principal.members:
            return Code.UNEXPECTED_WRITER, Severity.LOW
        # Account Operators are in the default security descriptor of users, and a user who may write itself gains a
        # second way in but no other account.
        mild = sid in ("S-1-5-32-548", SELF)
        return Code.UNEXPECTED_WRITER, Severity.MEDIUM if mild and not seen.privileged else Severity.HIGH


def resolver(groups: Mapping[str, tuple[str, tuple[str, ...]]], sids: Mapping[str, str]) -> Resolve:
    """Resolve through the groups of a dump.

    Args:
        groups: Name and members' DNs of each group, by its DN in lower case.
        sids: DN of each group in lower case, by its SID.
    """

    def resolve(sid: str) -> Principal | None:
        if sid not in sids:
            return None
        found: dict[str, None] = {}
        waiting, seen = [sids[sid]], {sids[sid]}
        while waiting:
            for member in groups[waiting.pop()][1]:
                key = member.casefold()
                if key not in groups:
                    found[member] = None
                elif key not in seen:
                    seen.add(key)
                    waiting.append(key)
        members = tuple(found)
        name = groups[sids[sid]][0]
        return Principal(name, members[:_SHOWN_MEMBERS], max(0, len(members) - _SHOWN_MEMBERS), group=True)

    return resolve


def _rid(sid: str) -> str:
    match = _DOMAIN_RID.fullmatch(sid)
    return match[1] if match else ""


def _well_known(sid: str) -> str:
    return WELL_KNOWN.get(sid) or _RID_NAMES.get(_rid(sid)) or sid


def _finding(code: Code, severity: Severity, sid: str, principal: Principal, seen: _Seen) -> Finding:
    rights = ", ".join(f"{right} on {count:,}" for right, count in seen.rights.most_common())
    accounts = "1 account" if seen.accounts == 1 else f"{seen.accounts:,} accounts"
    privileged = f" ({seen.privileged:,} privileged)" if seen.privileged else ""
    evidence = {"rights": rights, "accounts": str(seen.accounts), "privileged accounts": str(seen.privileged)}
    evidence["examples"] = "; ".join(seen.examples)
    if principal.group and not principal.members:
        evidence["members"] = "none"
    elif principal.members:
        more = f" and {principal.more:,} more" if principal.more else ""
        evidence["members"] = "; ".join(principal.members) + more
    return Finding(
        code=code,
        severity=severity,
        account=principal.name,
        dn="",
        sid=sid if sid.startswith("S-") else "",
        message=f"{principal.name} may write the keys of {accounts}{privileged}: {rights}",
        evidence=evidence,
        fingerprint=fingerprint(code, sid, *sorted(seen.rights)),
    )


def _plain(message: str) -> Finding:
    code = Code.UNREADABLE_DESCRIPTOR
    return Finding(code, CATALOGUE[code].severity, "", "", message, fingerprint(code, message))
