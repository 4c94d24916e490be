"""The audit of a live domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import ldap
import ldap.filter

from keytrust.audit.auditor import Auditor
from keytrust.audit.devices import DEVICE_ATTRIBUTES, Device, device_of
from keytrust.audit.grants import GrantCounter
from keytrust.audit.inspect import inspect
from keytrust.audit.model import AccountKind, Subject, Vendor
from keytrust.audit.planters import Planters, Principal
from keytrust.audit.run import Outcome, Progress, add_all, know_devices, outcome
from keytrust.audit.subject import ATTRIBUTES, DESCRIPTOR, KEY_LINK, LowerEntry, subject_of
from keytrust.directory.domain import PLANNED_FOR, Domain
from keytrust.directory.security.control import OWNER_GROUP_DACL
from keytrust.directory.session import Session
from keytrust.errors import DirectoryError

_SHOWN_MEMBERS = 20
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_COMPUTERS = "(sAMAccountType=805306369)"


def audit_domain(
    domain: Domain,
    auditor: Auditor,
    *,
    raw: bool = False,
    expected: Iterable[str] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Audit a live domain: users, and everything else that holds a key. Changes nothing.

    Raises:
        DirectoryError: it could not be read to the end.
    """
    with domain.session([OWNER_GROUP_DACL]) as session:
        know_devices(auditor, list(_devices(session, domain.controller.domain)), domain.name)
        vendor = Vendor.SAMBA if domain.controller.samba else Vendor.WINDOWS
        auditor.context = replace(auditor.context, vendor=auditor.context.vendor or vendor)
        counter = GrantCounter()
        for number, (subject, values, descriptor) in enumerate(_objects(session, domain), 1):
            auditor.take(subject, [inspect(value, subject.dn, keep_raw=raw) for value in values])
            if descriptor and subject.kind is not AccountKind.OTHER:
                counter.take(subject, descriptor)
            if progress is not None and number % 100 == 0:
                progress(number)
        planters = Planters((*expected, *_connector(domain)))
        planters.take(counter.grants())
        auditor.finish()
        add_all(auditor, planters.findings(lambda sid: _principal(session, domain.controller.domain, sid)))
    return outcome(auditor, planters)


def _objects(session: Session, domain: Domain) -> Iterator[tuple[Subject, tuple[bytes, ...], bytes]]:
    base = domain.controller.domain
    wanted = (*ATTRIBUTES, DESCRIPTOR)
    for dn, found in session.search(base, ldap.SCOPE_SUBTREE, f"(|{PLANNED_FOR}{_COMPUTERS})", wanted):
        entry = {name.lower(): values for name, values in found.items()}
        values = tuple(entry.get(KEY_LINK, ()))
        if any(name.startswith(f"{KEY_LINK};range=") for name in entry):
            values = _whole(session, base, dn, entry)
        yield subject_of(dn, entry), values, bytes((entry.get(DESCRIPTOR) or (b"",))[0])


def _whole(session: Session, base: str, dn: str, entry: LowerEntry) -> tuple[bytes, ...]:
    """All values of an attribute that the server gives in ranges."""
    guid = bytes((entry.get("objectguid") or (b"",))[0])
    account = session.by_guid(base, [guid]).get(guid)
    if account is None:
        raise DirectoryError(f"{dn} vanished while it was read.", remedy="Run it again.")
    return account.values


def _devices(session: Session, base: str) -> Iterator[Device]:
    for _, found in session.search(base, ldap.SCOPE_SUBTREE, "(objectClass=msDS-Device)", DEVICE_ATTRIBUTES):
        device = device_of({name.lower(): values for name, values in found.items()})
        if device is not None:
            yield device


def _connector(domain: Domain) -> tuple[str, ...]:
    """The connector account itself, which has to be able to write."""
    principal = domain.settings.principal
    if principal is None:
        return ()
    try:
        account = domain.find(principal if "=" in principal else principal.split("@")[0])
    except DirectoryError:
        return ()
    return (account.sid,)


def _principal(session: Session, base: str, sid: str) -> Principal | None:
    found = list(session.search(base, ldap.SCOPE_SUBTREE, f"(objectSid={sid})", ["sAMAccountName", "objectClass"]))
    if not found:
        return None
    dn, entry = found[0]
    name = (entry.get("sAMAccountName") or (dn.encode(),))[0].decode("utf-8", "replace")
    if b"group" not in {value.lower() for value in entry.get("objectClass", ())}:
        return Principal(name)
    inside = f"(&(!(objectClass=group))(memberOf:{_IN_CHAIN}:={_escaped(dn)}))"
    members = [
        (member.get("sAMAccountName") or (at.encode(),))[0].decode("utf-8", "replace")
        for at, member in session.search(base, ldap.SCOPE_SUBTREE, inside, ["sAMAccountName"])
    ]
    return Principal(name, tuple(members[:_SHOWN_MEMBERS]), max(0, len(members) - _SHOWN_MEMBERS), group=True)


def _escaped(text: str) -> str:
    escaped: str = ldap.filter.escape_filter_chars(text)
    return escaped
