"""What a domain controller may answer to a change: who is told what, who has to wait, and how it ends by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ldap
import pytest
from sqlalchemy import Engine
from tests.support.worker_site import Site
from tests.support.world import guid

from keytrust.directory.session import Verdict, _answer
from keytrust.errors import DirectoryError
from keytrust.store.database import open_store
from keytrust.sync.journal import Journal, Outcome

PEOPLE = ("alice", "bob", "carol", "dave")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_store(f"sqlite:///{tmp_path}/keytrust.db")
    yield engine
    engine.dispose()


def said(kind: type[ldap.LDAPError], words: str) -> ldap.LDAPError:
    return kind({"desc": words, "msgid": 1})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (said(ldap.BUSY, "Server is busy"), "gave up after 5 attempts: Server is busy"),
        (said(ldap.ADMINLIMIT_EXCEEDED, "Administrative limit"), "gave up after 5 attempts: Administrative limit"),
        (said(ldap.UNWILLING_TO_PERFORM, "Server is unwilling"), "the server is unwilling: Server is unwilling"),
        (said(ldap.INSUFFICIENT_ACCESS, "Insufficient access"), "lacks Write msDS-KeyCredentialLink on it"),
        (said(ldap.REFERRAL, "Referral"), "it is read-only or does not hold this domain"),
        (said(ldap.CONSTRAINT_VIOLATION, "Constraint violation"), "Constraint violation"),
    ],
)
def test_an_answer_about_one_account_is_told_sets_it_alone_aside_and_is_asked_for_again_ever_more_rarely(
    store: Engine, error: ldap.LDAPError, told: str
) -> None:
    site = Site(store, *PEOPLE)
    troubled = guid("bob")
    site.directory.fault = lambda number: _answer(1, error) if site.directory.sent[number][1] == troubled else None
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.settle()
    assert [site.values(name) for name in PEOPLE] == [1, 0, 1, 1]
    (first,) = site.told.of("set-aside")
    assert first.sentence.startswith("bob: ")
    assert told in first.sentence
    site.worker.work()  # not before its time
    assert len(site.told.of("set-aside")) == 1
    site.clock += 10
    site.worker.work()
    assert len(site.told.of("set-aside")) == 2
    assert site.told.of("set-aside")[1].data["again"] > first.data["again"]
    site.directory.fault = lambda _: None
    site.clock += 60
    site.worker.work()
    assert (site.values("bob"), site.waiting) == (1, 0)


@pytest.mark.parametrize("kind", [ldap.SERVER_DOWN, ldap.UNAVAILABLE, ldap.TIMEOUT])
@pytest.mark.parametrize("done", [True, False])
def test_a_connection_that_dies_is_had_again_and_each_key_is_written_once(
    store: Engine, kind: type[ldap.LDAPError], *, done: bool
) -> None:
    site = Site(store, *PEOPLE)
    site.directory.lost_after = done
    died: list[int] = []

    def dies_once(number: int) -> object:
        if number != 1 or died:
            return None
        died.append(number)
        return _answer(None, said(kind, "gone"))

    site.directory.fault = dies_once  # type: ignore[assignment]
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.settle()
    assert died
    assert [site.values(name) for name in PEOPLE] == [1, 1, 1, 1]
    assert site.told.of("set-aside") == []
    assert [entry.outcome for entry in Journal(store).entries()] == [Outcome.CONFIRMED] * 4


def test_a_server_that_is_busy_for_a_moment_is_asked_again_and_nobody_is_set_aside(store: Engine) -> None:
    site = Site(store, *PEOPLE)
    busy = iter([True, False, True])
    site.directory.fault = lambda _: _answer(1, said(ldap.BUSY, "busy")) if next(busy, False) else None
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    site.settle()
    assert [site.values(name) for name in PEOPLE] == [1, 1, 1, 1]
    assert site.told.of("set-aside") == []


def test_who_may_write_nowhere_is_told_so_as_a_fault_of_the_domain(store: Engine) -> None:
    site = Site(store, *PEOPLE)
    site.directory.fault = lambda _: _answer(1, said(ldap.INSUFFICIENT_ACCESS, "Insufficient access"))
    for number, name in enumerate(PEOPLE):
        site.register(name, number)
    with pytest.raises(DirectoryError, match=r"dc1\.corp\.example denies every change.*docs/permissions\.md"):
        site.settle()
    assert site.link.drops == 1
    site.directory.fault = lambda _: None
    site.clock += 60
    site.worker.work()
    assert [site.values(name) for name in PEOPLE] == [1, 1, 1, 1]


def test_every_answer_is_one_of_those_that_are_told_apart() -> None:
    verdicts = {_answer(1, kind({"desc": "x", "msgid": 1})).verdict for kind in (ldap.BUSY, ldap.OTHER, ldap.TIMEOUT)}
    assert verdicts == {Verdict.BUSY, Verdict.REFUSED, Verdict.LOST}
