"""The deliberate step that lets keys of privileged accounts be written: an entry on AdminSDHolder."""

from __future__ import annotations

from keytrust.deploy.changes import EditDacl
from keytrust.deploy.errors import SetupError
from keytrust.deploy.permissions import entries
from keytrust.deploy.permissions.situation import Group, Situation
from keytrust.deploy.step import Step
from keytrust.directory.account import guid_text
from keytrust.directory.editor import Editor


def plan_adminsdholder(situation: Situation, editor: Editor) -> Step:
    """Let the group by which the connector account has its right write keys of protected accounts too.

    Raises:
        SetupError: the connector account is in none of the groups, or AdminSDHolder cannot be read.
    """
    s = situation
    group = carrying_group(s)
    dn = f"CN=AdminSDHolder,CN=System,{s.domain_dn}"
    found = editor.entry(dn, ["objectGUID"])
    if found is None:
        raise SetupError(f"{editor.server} does not show {dn}.", not_done="Nothing was changed.")
    dacl = editor.dacl(dn)
    title = f"let {group.name} write keys of privileged accounts in {s.domain}"
    if entries.grants_here(dacl, group.sid):
        return Step("adminsdholder", title, (f"AdminSDHolder gives {group.name} the right already.",))
    change = EditDacl(
        dn,
        guid_text(found[1]["objectGUID"][0]),
        (entries.here_only(group.sid),),
        before=dacl.digest,
        what=f"let {group.name} read and write keys of every account that AdminSDHolder protects",
    )
    why = (
        "Accounts with adminCount=1 take their permissions from AdminSDHolder and inherit none:"
        f" {group.name} cannot write their keys, which is as it should be unless you mean it otherwise."
    )
    warnings = [
        f"Whoever controls keytrust, its host or {s.connector.name} can then sign in as any administrator of"
        f" {s.domain}, Domain Admins included.",
        "The policy of keytrust refuses privileged accounts all the same, except those that privileged_accounts names.",
        "A Samba domain controller does not copy AdminSDHolder to the accounts: each needs the entry itself."
        if s.samba
        else "It takes effect when the PDC emulator next copies AdminSDHolder to the accounts, within an hour.",
    ]
    return Step("adminsdholder", title, (why,), (change,), tuple(warnings))


def carrying_group(situation: Situation) -> Group:
    """The group by which the connector account has its right, the narrowest first.

    Raises:
        SetupError: it is in none.
    """
    for group in (situation.own, situation.key_admins, situation.enterprise):
        if group is not None and group.has_connector:
            return group
    raise SetupError(
        f"{situation.connector.name} is in none of the groups that may write keys.",
        not_done="Nothing was changed.",
        remedy="Run keytrust setup permissions first.",
    )
