"""Users of a lab, and the LDIF that makes and unmakes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from keytrust.errors import LabError
from keytrust.lab import ldif

NORMAL_ACCOUNT = 0x200
ACCOUNTDISABLE = 0x2
_NOW = "-1"
"""The value of pwdLastSet that stands for the present ([MS-ADTS] 3.1.1.3.1.5.2)."""

# What AdminSDHolder gives its accounts: nothing is inherited, so that the Key Admins' grant on the domain head does not
# reach them. Samba has no SDProp task that would put it there by itself.
_PROTECTED = (
    "O:DAG:DAD:PAI(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)"
    "(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;BA)(A;;RPLCLORC;;;AU)"
)
_SAM = re.compile(r'[^\x00-\x1f"/\\\[\]:;|=,+*?<>@]{1,20}')


@dataclass(frozen=True)
class LabUser:
    """One user to make.

    Attributes:
        sam: sAMAccountName, 1 to 20 characters; also the common name.
        upn: userPrincipalName; left out, it is sam@domain.
        password: Left out, the account has none and signs in by key alone, and is made 10 times as fast.
        inet_org_person: Make it an inetOrgPerson instead of a user.
        ou: Where, relative to the domain head; it must exist.
        admin_count: A protected account: adminCount 1, and a security descriptor that inherits nothing.
        disabled: Whether the account is disabled.
        consistency_guid: ``mS-DS-ConsistencyGuid``, when it shall be set.
    """

    sam: str
    upn: str | None = None
    password: str | None = field(default=None, repr=False)
    inet_org_person: bool = False
    ou: str = "OU=People"
    admin_count: bool = False
    disabled: bool = False
    consistency_guid: UUID | None = None

    def __post_init__(self) -> None:
        if not _SAM.fullmatch(self.sam) or self.sam != self.sam.strip(" ."):
            raise LabError(
                f"{self.sam!r} cannot be a sAMAccountName.",
                not_done="No user was made.",
                remedy='Use 1 to 20 characters, none of "/\\[]:;|=,+*?<>@, no space or full stop at the ends.',
            )

    def dn(self, base_dn: str) -> str:
        """Distinguished name under the domain head ``base_dn``."""
        return f"CN={ldif.escape(self.sam)},{self.ou},{base_dn}"


def adding(users: Iterable[LabUser], *, base_dn: str, domain: str) -> str:
    """LDIF that adds the users."""
    return "".join(_adding(user, base_dn, domain) for user in users)


def deleting(users: Iterable[LabUser], *, base_dn: str) -> str:
    """LDIF that deletes them."""
    return "".join(ldif.delete(user.dn(base_dn)) for user in users)


def _adding(user: LabUser, base_dn: str, domain: str) -> str:
    attributes: dict[str, ldif.Value] = {
        "objectClass": "inetOrgPerson" if user.inet_org_person else "user",
        "sAMAccountName": user.sam,
        "userPrincipalName": user.upn or f"{user.sam}@{domain}",
        "displayName": user.sam,
        "userAccountControl": str(NORMAL_ACCOUNT | (ACCOUNTDISABLE if user.disabled else 0)),
    }
    if user.password is None:
        attributes["pwdLastSet"] = _NOW  # or the account would have to change the password that it has not
    else:
        attributes["clearTextPassword"] = ldif.clear_text_password(user.password)
    if user.admin_count:
        attributes["adminCount"] = "1"
        attributes["nTSecurityDescriptor"] = _PROTECTED
    if user.consistency_guid is not None:
        attributes["mS-DS-ConsistencyGuid"] = user.consistency_guid.bytes_le
    return ldif.add(user.dn(base_dn), attributes)
