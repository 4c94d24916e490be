"""What the connector account may do, found by asking the domain controller as that account: too little and too much.

The domain controller computes ``allowedAttributesEffective``, ``allowedChildClassesEffective`` and
``sDRightsEffective`` ([MS-ADTS] 3.1.1.4.5) for whoever asks. So nothing here is inferred from permissions on paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import ldap
import ldap.filter

from keytrust.deploy.permissions.reach import parent
from keytrust.directory.account import KEY_LINK, Entry, sid_text
from keytrust.directory.domain import Domain
from keytrust.directory.membership import USERS
from keytrust.directory.security.privileged import privileged_group
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError

PER_UNIT, MOST_SAMPLES = 2, 400
_EFFECTIVE = ("allowedAttributesEffective", "allowedChildClassesEffective", "sDRightsEffective")
_TRUSTED_FOR_DELEGATION, _TRUSTED_TO_AUTHENTICATE = 0x8_0000, 0x100_0000


class Code(StrEnum):
    """What was found."""

    NO_WRITE = "no-write"
    """It may not write keys where it should."""
    NOT_IN_TOKEN = "not-in-token"  # noqa: S105 - the name of a finding
    """A fresh logon does not carry the group."""
    MORE_ATTRIBUTES = "more-attributes"
    MAKES_OBJECTS = "makes-objects"
    CHANGES_PERMISSIONS = "changes-permissions"
    KEYS_OF_COMPUTERS = "keys-of-computers"
    """It may write keys of objects that are no people: what membership in Key Admins brings with it."""
    KEYS_OF_PRIVILEGED = "keys-of-privileged"
    PRIVILEGED_GROUP = "privileged-group"
    DELEGATION = "delegation"
    CANNOT_TELL = "cannot-tell"


TOO_LITTLE = frozenset({Code.NO_WRITE, Code.NOT_IN_TOKEN})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        code: What.
        subject: The object.
        sentence: For people.
    """

    code: Code
    subject: str
    sentence: str

    @property
    def too_little(self) -> bool:
        return self.code in TOO_LITTLE


@dataclass(frozen=True, slots=True)
class Trial:
    """What the trial came to.

    Attributes:
        samples: How many accounts were tried.
        units: In how many units they are.
        all_units: How many units with people there are.
        token: SIDs of the groups in the logon's token.
        findings: What is wrong; empty when the account has its right and no other.
    """

    samples: int
    units: int
    all_units: int
    token: frozenset[str]
    findings: tuple[Finding, ...]


def try_rights(domain: Domain, *, group: str = "", progress: Callable[[int], None] = lambda _: None) -> Trial:
    """Ask the domain controller what the account that ``domain`` is signed in as may do.

    Args:
        domain: Signed in as the connector account, freshly: its token is that of a new logon.
        group: SID of the group that should be in the token; empty when any way is fine.
        progress: Told how many objects have been asked about.

    Raises:
        DirectoryError: the directory did not answer.
    """
    with domain.session() as session:
        return _Trial(session, domain, progress).run(group)


class _Trial:
    def __init__(self, session: Session, domain: Domain, progress: Callable[[int], None]) -> None:
        self._session = session
        self._domain = domain
        self._head = domain.controller.domain
        self._progress = progress
        self._asked = 0
        self._findings: list[Finding] = []

    def run(self, group: str) -> Trial:
        token = self._token()
        self._judge_token(token, group)
        own = self._judge_account(token)
        samples, units, all_units = self._people(own)
        self._others(own)
        return Trial(samples, units, all_units, frozenset(token), tuple(self._findings))

    # -- the account itself -------------------------------------------------------------------------------------

    def _token(self) -> list[str]:
        """SIDs of the logon's token ([MS-ADTS] 3.1.1.3.2.24: rootDSE tokenGroups is the caller's own)."""
        for _, entry in self._session.search("", ldap.SCOPE_BASE, "(objectClass=*)", ["tokenGroups"], paged=False):
            return [sid_text(value) for value in _values(entry, "tokenGroups")]
        return []

    def _judge_token(self, token: list[str], group: str) -> None:
        if not token:
            self._tell(Code.CANNOT_TELL, "token", "The domain controller does not say which groups the logon carries.")
            return
        if group and group not in token:
            self._tell(Code.NOT_IN_TOKEN, group, f"A fresh logon of the connector account does not carry {group}.")
        for sid in token:
            name = privileged_group(sid)
            if name:
                self._tell(Code.PRIVILEGED_GROUP, sid, f"The connector account is in {name}, which it must not be.")

    def _judge_account(self, token: list[str]) -> str:
        own = next((sid for sid in token if sid.startswith("S-1-5-21-")), None)  # a token begins with its user
        if own is None:
            return ""
        wanted = ["userAccountControl", "msDS-AllowedToDelegateTo"]
        for dn, entry in self._session.search(self._head, ldap.SCOPE_SUBTREE, f"(objectSid={own})", wanted):
            flags = _values(entry, "userAccountControl")
            if not flags:
                self._tell(
                    Code.CANNOT_TELL, dn, "Whether the connector account is trusted for delegation is not shown."
                )
            control = int(flags[0]) if flags else 0
            if control & (_TRUSTED_FOR_DELEGATION | _TRUSTED_TO_AUTHENTICATE) or _values(entry, wanted[1]):
                self._tell(
                    Code.DELEGATION, dn, "The connector account is trusted for delegation: it can act for others."
                )
            return dn
        return ""

    # -- samples ------------------------------------------------------------------------------------------------

    def _people(self, own: str) -> tuple[int, int, int]:
        chosen: dict[str, list[str]] = {}
        for dn, entry in self._session.search(self._head, ldap.SCOPE_SUBTREE, USERS, ["adminCount"]):
            if dn == own or any(value not in (b"", b"0") for value in _values(entry, "adminCount")):
                continue  # its own attributes are its own to write; protected accounts are a matter of their own
            unit = parent(dn)
            samples = chosen.setdefault(unit, [])
            if len(samples) < PER_UNIT:
                samples.append(dn)
        tried = units = 0
        for samples in chosen.values():
            if tried + len(samples) > MOST_SAMPLES:
                break
            units += 1
            for dn in samples:
                tried += 1
                self._judge_person(dn)
        return tried, units, len(chosen)

    def _judge_person(self, dn: str) -> None:
        effective = self._effective(dn)
        if effective is None:
            self._tell(Code.CANNOT_TELL, dn, f"What the connector account may do with {dn} cannot be read.")
            return
        if KEY_LINK.lower() not in effective.attributes:
            self._tell(Code.NO_WRITE, dn, f"The connector account may not write {KEY_LINK} of {dn}.")
        self._judge_surplus(dn, effective)

    def _others(self, own: str) -> None:
        """One object of each other kind, and the two objects on which rights are handed out."""
        # A connector account that is a computer may write some attributes of its own, as every account may.
        computer = self._first("(&(objectClass=computer)(primaryGroupID=515))", besides=own)
        controller = self._first("(primaryGroupID=516)")
        admins = self._first(f"(objectSid={self._domain.sid}-512)")
        for dn in (self._head, f"CN=AdminSDHolder,CN=System,{self._head}", computer, controller, admins):
            effective = self._effective(dn) if dn else None
            if effective is None:
                continue
            if KEY_LINK.lower() in effective.attributes:
                sentence = f"The connector account may also write {KEY_LINK} of {dn}, which is no person's account."
                self._tell(Code.KEYS_OF_COMPUTERS, dn, sentence)
            self._judge_surplus(dn, effective)
        administrator = self._first(f"(objectSid={self._domain.sid}-500)")
        effective = self._effective(administrator) if administrator else None
        if effective is not None and KEY_LINK.lower() in effective.attributes:
            sentence = f"The connector account may write keys of {administrator}: it can sign in as an administrator."
            if self._domain.controller.samba:
                sentence += " Samba does not protect such accounts by AdminSDHolder: disable inheritance on them."
            self._tell(Code.KEYS_OF_PRIVILEGED, administrator, sentence)

    def _judge_surplus(self, dn: str, effective: _Effective) -> None:
        surplus = sorted(effective.attributes - {KEY_LINK.lower()})
        if surplus:
            shown = ", ".join(surplus[:5]) + (f" and {len(surplus) - 5} more" if len(surplus) > 5 else "")
            self._tell(Code.MORE_ATTRIBUTES, dn, f"The connector account may also write {shown} of {dn}.")
        if effective.children:
            self._tell(Code.MAKES_OBJECTS, dn, f"The connector account may make objects below {dn}.")
        if effective.descriptor:
            self._tell(Code.CHANGES_PERMISSIONS, dn, f"The connector account may change the permissions of {dn}.")

    def _first(self, chosen: str, *, besides: str = "") -> str:
        found = self._session.search(self._head, ldap.SCOPE_SUBTREE, chosen, ["1.1"])
        return next((dn for dn, _ in found if dn != besides), "")

    def _effective(self, dn: str) -> _Effective | None:
        self._asked += 1
        self._progress(self._asked)
        try:
            found = list(self._session.search(dn, ldap.SCOPE_BASE, "(objectClass=*)", _EFFECTIVE, paged=False))
        except DirectoryError as error:
            if isinstance(error.__cause__, ldap.NO_SUCH_OBJECT):
                return None
            raise
        if not found:
            return None
        entry = found[0][1]
        rights = _values(entry, "sDRightsEffective")
        return _Effective(
            frozenset(value.decode("utf-8", "replace").lower() for value in _values(entry, _EFFECTIVE[0])),
            frozenset(_values(entry, _EFFECTIVE[1])),
            bool(rights and int(rights[0])),
        )

    def _tell(self, code: Code, subject: str, sentence: str) -> None:
        self._findings.append(Finding(code, subject, sentence))


@dataclass(frozen=True, slots=True)
class _Effective:
    attributes: frozenset[str]
    children: frozenset[bytes]
    descriptor: bool


def _values(entry: Entry, name: str) -> list[bytes]:
    wanted = name.lower()
    return next((list(values) for attribute, values in entry.items() if attribute.lower() == wanted), [])


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in the order in which to read them: what is lacking first."""
    return sorted(findings, key=lambda finding: (not finding.too_little, list(Code).index(finding.code)))
