"""Two real domains in two forests, one configuration: whole commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.crowd import register_all
from tests.support.site import Site

from keytrust.config import load
from keytrust.directory.account import Account
from keytrust.directory.domain import Domain
from keytrust.lab import Lab, LabUser

pytestmark = pytest.mark.lab

ALICE, BOB = LabUser("two-alice"), LabUser("two-bob")


@dataclass
class TwoDomains:
    """A site on two domains: alice is in the first, bob in the second."""

    site: Site
    first: str
    second: str

    def account(self, label: str, name: str) -> Account:
        with Domain(load(self.site.config).need_directory(label)) as domain:
            return domain.find(name)

    @property
    def alice(self) -> Account:
        return self.account(self.first, ALICE.sam)

    @property
    def bob(self) -> Account:
        return self.account(self.second, BOB.sam)


@pytest.fixture
def two(pair_lab: Lab, tmp_path: Path) -> Iterator[TwoDomains]:
    site = Site(pair_lab, tmp_path)
    second = pair_lab.second
    table = (pair_lab.spec.config).read_text(encoding="utf-8").partition("[domains.")
    site.config.write_text(site.config.read_text(encoding="utf-8") + "".join(table[1:]), encoding="utf-8")
    pair_lab.add_users([ALICE])
    second.add_users([BOB])
    try:
        yield TwoDomains(site, pair_lab.spec.domain, second.spec.name)
    finally:
        second.up(lambda _: None)
        pair_lab.up(lambda _: None)
        pair_lab.delete_users([ALICE])
        second.delete_users([BOB])


def test_keys_come_to_both_and_each_run_is_taken_back_in_its_domain(two: TwoDomains) -> None:
    register_all(two.site, [two.alice, two.bob])
    plan = two.site.run("plan", "-o", str(two.site.folder / "plan.json"))
    assert plan.returncode == 2, plan.stderr
    files = [two.site.folder / f"plan.{label}.json" for label in (two.first, two.second)]
    assert [json.loads(file.read_text())["domain"] for file in files] == [two.first, two.site.lab.second.spec.domain]
    done = two.site.run("apply", *map(str, files), "--json")
    assert done.returncode == 0, done.stderr
    assert [each["label"] for each in json.loads(done.stdout)["domains"]] == [two.first, two.second]
    assert len(two.alice.values) == len(two.bob.values) == 1
    shown = two.site.run("show", BOB.sam)
    assert shown.returncode == 0
    assert "by keytrust" in shown.stdout
    history = json.loads(two.site.run("history", "--json", "--domain", two.second).stdout)
    assert [run["domain"] for run in history] == [two.site.lab.second.spec.domain]
    undone = two.site.run("undo", "last", "--domain", two.first, "--yes")
    assert undone.returncode == 0, undone.stderr
    assert (len(two.alice.values), len(two.bob.values)) == (0, 1)


def test_a_key_on_an_account_of_the_other_domain_is_refused_even_when_one_is_chosen(two: TwoDomains) -> None:
    bob = two.bob
    register_all(two.site, [bob])
    assert two.site.run("sync").returncode == 0
    users = two.site.users
    users[ALICE.sam] = two.site.cloud_user(two.alice) | {"deviceKeys": users.pop(BOB.sam)["deviceKeys"]}
    two.site.save()
    for arguments in ((), ("--domain", two.first)):
        done = two.site.run("plan", *arguments)
        assert "the same key is on another account" in done.stdout
        assert "+ add" not in done.stdout


def test_one_that_is_down_is_named_and_the_other_served(two: TwoDomains) -> None:
    register_all(two.site, [two.alice, two.bob])
    two.site.lab.second.stop_dc()
    done = two.site.run("sync")
    assert done.returncode == 3, done.stderr
    assert f"{two.second} was left out" in done.stderr
    assert "Not checked" in done.stdout
    assert len(two.alice.values) == 1
    only = two.site.run("sync", "--domain", two.second)
    assert only.returncode == 1
    two.site.lab.second.start_dc()
    again = two.site.run("sync")
    assert again.returncode == 0, again.stderr
    assert len(two.bob.values) == 1
