"""A directory session that can read security descriptors without the right to read audit entries (the SACL)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ldap.controls import LDAPControl

from keytrust.directory.connection import connect, needs_ticket
from keytrust.directory.kerberos import ticket_cache
from keytrust.directory.session import Session
from keytrust.directory.settings import DirectorySettings

_SD_FLAGS = "1.2.840.113556.1.4.801"
"""LDAP_SERVER_SD_FLAGS_OID, [MS-ADTS] 3.1.1.3.4.1.11."""
_OWNER_GROUP_DACL = b"\x30\x03\x02\x01\x07"  # SEQUENCE { INTEGER 7 }


@contextmanager
def security_session(settings: DirectorySettings, server: str) -> Iterator[Session]:
    """A connection of its own to ``server``, on which every search of ``nTSecurityDescriptor`` gets all but the SACL.

    Raises:
        DirectoryError: it cannot be reached or signed in to.
    """
    with ExitStack() as stack:
        cache = stack.enter_context(ticket_cache(settings)) if needs_ticket(settings) else None
        connection = connect(settings, server, cache)
        flags = LDAPControl(_SD_FLAGS, True, encodedControlValue=_OWNER_GROUP_DACL)
        session = Session(connection, server, settings.page_size, settings.timeout, [flags])
        stack.callback(session.close)
        yield session
