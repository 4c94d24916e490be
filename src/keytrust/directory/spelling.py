"""One spelling of a distinguished name, by which two that name the same object are found equal. Pure."""

from __future__ import annotations

import ldap
import ldap.dn


def one_spelling(dn: str) -> str:
    """The name with every escape written in one way, and without case.

    Servers escape other letters than we do, and in values other letters than in the names of entries. What is no
    distinguished name at all is only compared without case.
    """
    try:
        return str(ldap.dn.dn2str(ldap.dn.str2dn(dn))).casefold()
    except ldap.DECODING_ERROR:
        return dn.casefold()
