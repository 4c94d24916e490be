"""Well-known groups that give more than an ordinary account has. Pure."""

from __future__ import annotations

_GROUPS = {
    "S-1-5-32-544": "Administrators",
    "S-1-5-32-548": "Account Operators",
    "S-1-5-32-549": "Server Operators",
    "S-1-5-32-550": "Print Operators",
    "S-1-5-32-551": "Backup Operators",
    "512": "Domain Admins",
    "516": "Domain Controllers",
    "517": "Cert Publishers",
    "518": "Schema Admins",
    "519": "Enterprise Admins",
    "520": "Group Policy Creator Owners",
}
"""By SID, or by RID in a domain ([MS-DTYP] 2.4.2.4)."""


def privileged_group(sid: str) -> str:
    """The name of a privileged group by its SID; empty for every other."""
    rid = sid.rpartition("-")[2] if sid.startswith("S-1-5-21-") else ""
    return _GROUPS.get(sid) or _GROUPS.get(rid, "")
