"""Whether a password is a user's: a simple bind inside TLS.

Not by a Kerberos request alone: whoever can answer in the KDC's place can make any password look right unless a ticket
is checked with a service key of one's own, while a domain controller's certificate is verified before the password is
shown to it.
"""

from __future__ import annotations

from enum import Enum, auto

import ldap

from keytrust.directory.account import sid_text
from keytrust.directory.connection import protected
from keytrust.directory.faults import connection_fault
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import DirectoryError

_MAX_PASSWORD = 1024
_STATES = {"532": "expired", "533": "disabled", "701": "account expired", "773": "must be changed", "775": "locked out"}
"""Windows' reasons in the text of a refusal, in hexadecimal ([MS-ERREF] 2.2)."""


class PasswordVerdict(Enum):
    """What a domain controller says of a password."""

    RIGHT = auto()
    WRONG = auto()
    NOT_NOW = auto()
    """It may be right, but the account may not sign in: expired, disabled, locked out."""


def check_password(settings: DirectorySettings, name: str, sid: str, password: str) -> PasswordVerdict:
    """Ask the first domain controller that answers.

    Args:
        settings: The domain controllers and how to reach them; the connection is by TLS, whatever else they say.
        name: The user's userPrincipalName.
        sid: The user's SID: a name can be another account's by now.
        password: What was given.

    Raises:
        DirectoryError: no domain controller could be asked.
    """
    # A bind without a password is an anonymous one, and succeeds (RFC 4513, 5.1.2).
    if not password or len(password) > _MAX_PASSWORD or "\0" in password or not name:
        return PasswordVerdict.WRONG
    faults: list[DirectoryError] = []
    for server in settings.servers:
        try:
            return _ask(settings, server, name, sid, password)
        except DirectoryError as error:
            faults.append(error)
    raise DirectoryError(
        "No domain controller could be asked for a password: " + " ".join(fault.message for fault in faults),
        not_done="Nobody was signed in.",
        remedy=faults[0].remedy,
        detail="\n".join(fault.detail for fault in faults),
    )


def _ask(settings: DirectorySettings, server: str, name: str, sid: str, password: str) -> PasswordVerdict:
    connection = protected(settings, server)
    try:
        connection.simple_bind_s(name, password)
        [(_, root)] = connection.search_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["tokenGroups"])
        # Who we are now ([MS-ADTS] 3.1.1.3.2.20): the user's own SID is among those of the groups.
        mine = {sid_text(each) for each in root.get("tokenGroups", ())}
    except (ldap.INVALID_CREDENTIALS, ldap.INVALID_DN_SYNTAX) as error:
        said = str(error.args[0].get("info", "")) if error.args and isinstance(error.args[0], dict) else ""
        known = any(f"data {code}," in said for code in _STATES)
        return PasswordVerdict.NOT_NOW if known else PasswordVerdict.WRONG
    except ldap.LDAPError as error:
        raise connection_fault(error, server, settings) from error
    finally:
        connection.unbind_ext()
    return PasswordVerdict.RIGHT if sid in mine else PasswordVerdict.WRONG
