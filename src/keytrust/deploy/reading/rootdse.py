"""What a domain controller says of itself to anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import ldap

from keytrust.deploy.checks.facts import Root, Unread
from keytrust.directory.controller import ROOT_DSE, from_root_dse
from keytrust.directory.faults import words
from keytrust.errors import DirectoryError
from keytrust.interrupts import shielded

_HALF_A_SECOND = 0.5
"""currentTime has whole seconds, cut off: on average it is this much behind."""


def read_root(host: str, timeout: float) -> Root | Unread:
    """Ask ``host`` for its rootDSE, which needs no sign-in and tells nobody anything secret."""
    connection = ldap.initialize(f"ldap://{host}", bytes_mode=False)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, timeout)
    connection.set_option(ldap.OPT_TIMEOUT, timeout)
    connection.set_option(ldap.OPT_REFERRALS, 0)
    try:
        with shielded():
            found = connection.search_ext_s("", ldap.SCOPE_BASE, attrlist=list(ROOT_DSE), timeout=timeout)
        now = datetime.now(UTC)
        return from_entry(host, found[0][1] if found else {}, now)
    except ldap.LDAPError as error:
        return Unread(f"LDAP port 389: {words(error)}")
    except DirectoryError as error:
        return Unread(error.message)
    finally:
        _end(connection)


def from_entry(host: str, entry: Mapping[str, Sequence[bytes]], now: datetime) -> Root:
    """Read a rootDSE.

    Args:
        host: Whose.
        entry: Its attributes.
        now: This machine's time when they came.

    Raises:
        DirectoryError: what answers is not a domain controller.
    """
    controller = from_root_dse(host, entry)
    then = generalized_time(entry.get("currentTime", [b""])[0])
    return Root(
        vendor=controller.vendor,
        samba=controller.samba,
        level=controller.level,
        read_only=controller.read_only,
        offset=None if then is None else (then - now).total_seconds() + _HALF_A_SECOND,
    )


def generalized_time(value: bytes) -> datetime | None:
    """A GeneralizedTime as directories write it, ``20261124181842.0Z``; None when it is not one."""
    try:
        return datetime.strptime(value[:14].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except (UnicodeDecodeError, ValueError):
        return None


def _end(connection: ldap.ldapobject.LDAPObject) -> None:
    try:
        connection.unbind_ext()
    except ldap.LDAPError:
        return
