"""Writing to the domain controller's own database, as the system, whether it runs or not."""

from __future__ import annotations

from pathlib import Path

from keytrust.lab import tree as inside

SAM = "/var/lib/samba/private/sam.ldb"


def modify(tree: Path, records: str, *, doing: str, relax: bool = False) -> None:
    """Apply LDIF change records in one transaction: all of them or none.

    Args:
        tree: The controller's tree.
        records: LDIF. It goes through standard input, since it may hold passwords.
        doing: What this is for, for the error.
        relax: Let attributes be set that only the system sets (object SIDs, for one).

    Raises:
        LabError: the database refused it.
    """
    if not records:
        return
    controls = ["--controls=relax:0"] if relax else []
    inside.run(tree, ["ldbmodify", "-H", SAM, *controls], doing=doing, text=records)
