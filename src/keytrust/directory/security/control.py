"""Which parts of a security descriptor are read or written: never audit entries (the SACL), which takes a right."""

from __future__ import annotations

from ldap.controls import LDAPControl

OWNER_GROUP_DACL = LDAPControl("1.2.840.113556.1.4.801", True, encodedControlValue=b"\x30\x03\x02\x01\x07")
"""LDAP_SERVER_SD_FLAGS_OID with SEQUENCE { INTEGER 7 }, [MS-ADTS] 3.1.1.3.4.1.11: for every search of a session."""

DACL_ONLY = LDAPControl("1.2.840.113556.1.4.801", True, encodedControlValue=b"\x30\x03\x02\x01\x04")
"""The same with INTEGER 4: for writing a DACL and leaving owner, group and audit entries alone."""
