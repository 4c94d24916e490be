"""A rollout in phases: keys only for members of a group, unit or filter; leaving removes nothing by itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
from tests.support.site import Site

from keytrust.cli.wiring import open_runs
from keytrust.config import Settings
from keytrust.directory.settings import ScopeSettings
from keytrust.errors import DirectoryError
from keytrust.lab import LabUser
from keytrust.sync.model import Plan
from keytrust.sync.scope import scope_of

pytestmark = pytest.mark.lab
MakeUser = Callable[..., LabUser]
MakeGroup = Callable[..., str]


@pytest.fixture
def make_group(site: Site) -> Iterator[MakeGroup]:
    """Makes a group with these members (DNs) and returns its DN; removed after the test."""
    made: list[str] = []

    def make(*members: str) -> str:
        name = f"g-{secrets.token_hex(5)}"
        dn = f"CN={name},{site.lab.spec.people_dn}"
        listed = "".join(f"member: {member}\n" for member in members)
        site.lab.apply_ldif(f"dn: {dn}\nchangetype: add\nobjectClass: group\nsAMAccountName: {name}\n{listed}\n")
        made.append(dn)
        return dn

    yield make
    for dn in made:
        site.lab.apply_ldif(f"dn: {dn}\nchangetype: delete\n\n")


def add_member(site: Site, group: str, member: str, kind: str = "add") -> None:
    site.lab.apply_ldif(f"dn: {group}\nchangetype: modify\n{kind}: member\nmember: {member}\n-\n\n")


def scoped(site: Site, **scope: object) -> Settings:
    directory = site.settings.need_directory().model_copy(update={"scope": ScopeSettings.model_validate(scope)})
    return site.settings.model_copy(update={"directory": directory})


def planned(settings: Settings) -> Plan:
    with open_runs(settings) as (runs, _):
        return runs.plan()


def names(plan: Plan) -> set[str]:
    return {change.account.name for change in plan.changes}


def test_only_members_of_the_group_get_keys_and_nested_groups_count_even_in_a_circle(
    site: Site, make_user: MakeUser, make_group: MakeGroup
) -> None:
    direct, nested, outside = make_user(), make_user(), make_user()
    for user in (direct, nested, outside):
        site.register(site.account(user.sam))
    inner = make_group(site.account(nested.sam).dn)
    outer = make_group(site.account(direct.sam).dn, inner)
    add_member(site, inner, outer)
    plan = planned(scoped(site, groups=[outer]))
    assert names(plan) == {direct.sam, nested.sam}
    assert plan.census.out_of_scope == 1


def test_a_primary_group_is_a_membership_too(site: Site, make_user: MakeUser) -> None:
    user = make_user()
    site.register(site.account(user.sam))
    assert user.sam in names(planned(scoped(site, groups=["Domain Users"])))


def test_units_and_a_filter_narrow_further(site: Site, make_user: MakeUser, make_group: MakeGroup) -> None:
    inside, elsewhere = make_user(), make_user(ou="CN=Users")
    for user in (inside, elsewhere):
        site.register(site.account(user.sam))
    people = site.lab.spec.people_dn
    both = make_group(site.account(inside.sam).dn, site.account(elsewhere.sam).dn)
    assert names(planned(scoped(site, ous=[people]))) == {inside.sam}
    assert names(planned(scoped(site, groups=[both], ous=[people]))) == {inside.sam}
    assert names(planned(scoped(site, filter=f"(sAMAccountName={elsewhere.sam})"))) == {elsewhere.sam}
    assert names(planned(scoped(site, ous=[people], filter=f"(sAMAccountName={elsewhere.sam})"))) == set()


def test_leaving_removes_nothing_unless_told_so_and_then_only_what_keytrust_wrote(
    site: Site, make_user: MakeUser, make_group: MakeGroup
) -> None:
    user, theirs = make_user(), make_user()
    for each in (user, theirs):
        site.register(site.account(each.sam))
    group = make_group(*(site.account(each.sam).dn for each in (user, theirs)))
    with open_runs(scoped(site, groups=[group])) as (runs, _):
        runs.sync()
    leaver = site.account(user.sam)
    foreign = site.account(theirs.sam).values[0].decode().replace(f"CN={theirs.sam}", f"CN={user.sam}")
    site.lab.apply_ldif(
        f"dn: {leaver.dn}\nchangetype: modify\nadd: msDS-KeyCredentialLink\nmsDS-KeyCredentialLink: {foreign}\n-\n\n"
    )
    add_member(site, group, site.account(user.sam).dn, "delete")
    plan = planned(scoped(site, groups=[group]))
    assert plan.changes == ()
    assert plan.census.out_of_scope == 1
    leaving = planned(scoped(site, groups=[group], remove_on_leave=True))
    (removal,) = leaving.changes
    assert removal.value == leaver.values[0]
    assert "not in scope any more" in removal.reason


@pytest.mark.parametrize(
    "scope", [{"groups": ["No such group"]}, {"ous": ["OU=Nowhere,DC=example"]}, {"filter": "(()"}]
)
def test_a_scope_that_cannot_be_read_makes_no_plan(site: Site, scope: dict[str, object]) -> None:
    with pytest.raises(DirectoryError):
        planned(scoped(site, **scope, remove_on_leave=True))


def test_a_group_of_more_members_than_one_page_holds_is_read_whole(site: Site, make_group: MakeGroup) -> None:
    users = [LabUser(sam=f"m{secrets.token_hex(2)}-{number}") for number in range(120)]
    site.lab.add_users(users)
    try:
        group = make_group(*(user.dn(site.lab.spec.base_dn) for user in users))
        settings = scoped(site, groups=[group])
        directory = settings.need_directory().model_copy(update={"page_size": 50})
        with open_runs(settings.model_copy(update={"directory": directory})) as (_, domain):
            members = scope_of(domain).members
            assert members is not None
            assert len(members) == 120
            few = sorted(members)[:70]
            assert scope_of(domain, few).members == frozenset(few)
    finally:
        site.lab.delete_users(users)
