"""Which of the guide's ways gives the connector account its right, and the changes that it takes. Pure."""

from __future__ import annotations

from enum import StrEnum

import ldap.dn

from keytrust.deploy.changes import AddObject, AddValue, DeleteValue, EditDacl, Grant
from keytrust.deploy.errors import SetupError
from keytrust.deploy.permissions import entries
from keytrust.deploy.permissions.situation import ENTERPRISE_KEY_ADMINS, Group, Kind, Situation
from keytrust.deploy.step import Change, Step
from keytrust.directory.security.ace import CONTAINER_INHERIT, INHERIT_ONLY
from keytrust.directory.security.writers import KEY_LINK_GUID

OWN_GROUP = "KeyCredential Admins"
"""What the deployment guide calls it."""
MARK = "May read and write msDS-KeyCredentialLink of users. Made by keytrust setup permissions."
_LONGEST_NAME = 64
_FORBIDDEN = frozenset('"/\\[]:;|=,+*?<>')
"""What a sAMAccountName may not contain ([MS-ADTS] 3.1.1.6)."""
_GLOBAL_SECURITY_GROUP = b"-2147483646"


class Way(StrEnum):
    """How the account gets its right."""

    AUTO = "auto"
    KEY_ADMINS = "key-admins"
    ENTERPRISE = "enterprise-key-admins"
    OWN_GROUP = "own-group"


def choose(situation: Situation) -> tuple[Way, str]:
    """The guide's way for this domain, and why."""
    s = situation
    if s.domains > 1 and s.enterprise is not None and _gives(s, s.enterprise):
        return Way.ENTERPRISE, (
            f"The forest has {s.domains} domains: {s.enterprise.name} has the right in all of them, by the entry that"
            " Windows put on each domain."
        )
    if s.domains == 1 and s.key_admins is not None and _gives(s, s.key_admins):
        return Way.KEY_ADMINS, f"{s.key_admins.name} exists, and {s.domain} gives it the right."
    if s.samba and s.key_admins is None:
        reason = "This is a Samba domain: it has the permissions of Key Admins, and not the group."
    elif s.domains > 1:
        reason = (
            f"The forest has {s.domains} domains, and Enterprise Key Admins is not here or has no right here:"
            " it gets the right in this domain by a group of its own."
        )
    elif s.key_admins is None:
        reason = "There is no group Key Admins: no domain controller from Windows Server 2016 on has held the PDC role."
    else:
        reason = f"{s.key_admins.name} exists, and {s.domain} does not give it the right."
    return Way.OWN_GROUP, f"{reason} So the guide's older way applies, the group {s.own_name}."


def plan_permissions(situation: Situation, way: Way = Way.AUTO) -> Step:
    """The step that gives the connector account the right; without changes when it has it.

    Args:
        situation: The domain.
        way: How; AUTO is the guide's way for this domain.

    Raises:
        SetupError: that way cannot be gone here.
    """
    s = situation
    chosen, why = choose(s) if way is Way.AUTO else (way, f"You chose {way}.")
    reasons = [why, f"The connector account is {s.connector.name}, a {s.connector.kind}."]
    warnings: list[str] = []
    if chosen is Way.OWN_GROUP:
        changes, group = _own_group(s) + _broader_memberships(s), s.own
    else:
        group = s.key_admins if chosen is Way.KEY_ADMINS else s.enterprise
        changes = _built_in(s, group, chosen)
        warnings.append(
            f"{group.name if group else chosen} may write keys of every object, those of computers and domain"
            f" controllers too. --way {Way.OWN_GROUP} gives the right on people only."
        )
    if s.connector.kind is not Kind.USER:
        warnings.append(f"{s.connector.name} is a {s.connector.kind}: whoever controls its machine can use the right.")
    if group is not None and group.others:
        more = f" and {group.more} more" if group.more else ""
        warnings.append(f"{group.name} has other members, who have the same right: {', '.join(group.others)}{more}.")
    if over_granted(s):
        warnings.append(
            "Enterprise Key Admins has full control of this whole domain, by a known defect of early Windows Server"
            " 2016: keytrust setup overgrant repairs that."
        )
    title = f"let {s.connector.name} read and write msDS-KeyCredentialLink in {s.domain}"
    return Step("permissions", title, tuple(reasons), tuple(changes), tuple(warnings))


def over_granted(situation: Situation) -> list[bytes]:
    """Entries of the domain head that give Enterprise Key Admins full control."""
    enterprise = situation.enterprise
    return entries.full_control(situation.dacl, enterprise.sid) if enterprise is not None else []


def plan_overgrant(situation: Situation) -> Step:
    """The step that takes full control from Enterprise Key Admins and leaves the right that was meant."""
    s = situation
    found = over_granted(s)
    if not found or s.enterprise is None:
        return Step("overgrant", "repair the permissions of Enterprise Key Admins", (_no_overgrant(s),))
    wanted = entries.everywhere(s.enterprise.sid)
    add = () if wanted in s.dacl.explicit else (wanted,)
    what = f"take full control of {s.domain} from {s.enterprise.name}, and leave it the keys"
    change = EditDacl(s.domain_dn, s.domain_guid, add, tuple(found), before=s.dacl.digest, what=what)
    why = f"{s.enterprise.name} has full control of {s.domain}: early versions of adprep did that."
    return Step("overgrant", "repair the permissions of Enterprise Key Admins", (why,), (change,))


def _no_overgrant(s: Situation) -> str:
    if s.enterprise is None:
        return f"{s.domain} has no group with RID {ENTERPRISE_KEY_ADMINS}: the forest's root domain has it."
    return f"{s.enterprise.name} has no full control of {s.domain}."


def _gives(s: Situation, group: Group) -> bool:
    return all(entries.grants(s.dacl, group.sid, of) for of in entries.CLASSES)


def _built_in(s: Situation, group: Group | None, way: Way) -> list[Change]:
    if group is None:
        hint = "Enterprise Key Admins is in the forest's root domain: run this for that domain." if not s.root else ""
        raise SetupError(
            f"{s.domain} has no group {'Enterprise Key Admins' if way is Way.ENTERPRISE else 'Key Admins'}.",
            not_done="Nothing was changed.",
            remedy=hint or f"Use --way {Way.OWN_GROUP}.",
        )
    changes: list[Change] = []
    if not _gives(s, group):
        what = f"let {group.name} read and write keys in all of {s.domain}"
        add = (entries.everywhere(group.sid),)
        changes.append(EditDacl(s.domain_dn, s.domain_guid, add, before=s.dacl.digest, what=what))
    return changes + _membership(s, group.dn, group.guid, group.name, there=group.has_connector)


def _own_group(s: Situation) -> list[Change]:
    if s.own is not None:
        if not s.own.security:
            raise SetupError(
                f"{s.own.dn} is a distribution group, which can have no rights.",
                not_done="Nothing was changed.",
                remedy="Give another name with --group-name.",
            )
        sid = s.own.sid
        missing = tuple(entries.descendants(sid, of) for of in entries.CLASSES if not entries.grants(s.dacl, sid, of))
        grant = [EditDacl(s.domain_dn, s.domain_guid, missing, before=s.dacl.digest, what=_grant_words(s))]
        changes: list[Change] = [*(grant if missing else [])]
        return changes + _membership(s, s.own.dn, s.own.guid, s.own.name, there=s.own.has_connector)
    _check_name(s.own_name)
    dn = f"CN={ldap.dn.escape_dn_chars(s.own_name)},{s.users}"
    made = AddObject(
        dn,
        (
            ("objectClass", (b"group",)),
            ("sAMAccountName", (s.own_name.encode(),)),
            ("groupType", (_GLOBAL_SECURITY_GROUP,)),
            ("description", (MARK.encode(),)),
        ),
        f"make the global group {s.own_name} in {s.users}",
    )
    rights = tuple(Grant(dn, KEY_LINK_GUID, CONTAINER_INHERIT | INHERIT_ONLY, of) for of in entries.CLASSES)
    grant_all = EditDacl(s.domain_dn, s.domain_guid, grants=rights, before=s.dacl.digest, what=_grant_words(s))
    return [made, grant_all, *_membership(s, dn, "", s.own_name, there=False)]


def _grant_words(s: Situation) -> str:
    return f"let {s.own_name} read and write keys of all users and inetOrgPersons below {s.domain_dn}"


def _membership(s: Situation, dn: str, guid: str, name: str, *, there: bool) -> list[Change]:
    if there:
        return []
    what = f"add {s.connector.name} to {name}"
    return [AddValue(dn, guid, "member", s.connector.dn.encode(), what)]


def _broader_memberships(s: Situation) -> list[Change]:
    """The group of our own is for having the right on people only: a broader right beside it would undo that."""
    return [
        DeleteValue(
            group.dn,
            group.guid,
            "member",
            s.connector.dn.encode(),
            f"take {s.connector.name} out of {group.name}, which may write keys of computers too",
        )
        for group in (s.key_admins, s.enterprise)
        if group is not None and group.has_connector
    ]


def _check_name(name: str) -> None:
    bad = sorted(set(name) & _FORBIDDEN)
    if bad or not name.strip() or len(name) > _LONGEST_NAME or name.endswith(".") or not name.isprintable():
        raise SetupError(
            f"A group cannot be called {name!r}.",
            not_done="Nothing was changed.",
            remedy=f"Give a name of at most {_LONGEST_NAME} characters without {' '.join(sorted(_FORBIDDEN))}.",
        )
