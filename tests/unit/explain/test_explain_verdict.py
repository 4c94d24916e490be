"""What an explanation concludes from its links, and what single facts make of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.support.world import NOW, key, value

from keytrust.cloud.source import CloudUser, Reported, Unknown
from keytrust.directory.controller import DomainController
from keytrust.explain import account_state
from keytrust.explain.account_state import AccountState
from keytrust.explain.controllers import ControllerFacts, chain
from keytrust.explain.keys import Holding, key_chains
from keytrust.explain.model import ControllerChain, Explanation, KeyChain, Link, State
from keytrust.explain.verdict import judge
from keytrust.sync.stored import StoredKey

WELL = AccountState(control=0x200, computed=0, expires=None, hours=None, password_set=1)
WINDOWS = DomainController("dc1", "DC=x", "", "", False, "Windows", 7, 7, 7, False)
SAMBA = replace(WINDOWS, samba=True, vendor="Samba Team (https://www.samba.org) 4.24.7-Debian")
STORED = StoredKey.read(value("alice", 1))
USER = CloudUser("id", "alice@x", b"a" * 16, "S-1-5-21-1", Reported((key(1),)))


def controller(host: str, *states: State) -> ControllerChain:
    links = tuple(Link(f"link{number}", state, f"{host} {state}") for number, state in enumerate(states))
    return ControllerChain(host, True, links)


def one_key(**at: State) -> KeyChain:
    links = {host: Link("replicated", state, f"key {state} at {host}") for host, state in at.items()}
    return KeyChain(b"k", None, None, (), links)


def explanation(keys: list[KeyChain], controllers: list[ControllerChain], *user: Link) -> Explanation:
    return Explanation("alice", "alice@x", "CN=alice", "x", NOW, user, tuple(keys), tuple(controllers))


def test_one_key_that_arrived_is_enough_and_one_controller_without_it_is_named() -> None:
    keys = [one_key(dc1=State.PROBLEM, dc2=State.PROBLEM), one_key(dc1=State.OK, dc2=State.PROBLEM)]
    verdict = judge(explanation(keys, [controller("dc1", State.OK), controller("dc2", State.OK)]))
    assert [at.state for at in verdict.at] == [State.OK, State.PROBLEM]
    assert verdict.state is State.PROBLEM
    assert "can sign in by key at dc1" in verdict.sentence
    assert "cannot sign in by key at dc2" in verdict.sentence


def test_what_keeps_the_account_out_is_named_before_a_missing_key() -> None:
    verdict = judge(explanation([one_key(dc1=State.PROBLEM)], [controller("dc1", State.OK, State.PROBLEM)]))
    assert verdict.at[0].because is not None
    assert verdict.at[0].because.id == "link1"


def test_without_a_key_the_reason_is_on_the_cloud_side() -> None:
    lacking = Link("enrolled", State.PROBLEM, "No key is registered.")
    verdict = judge(explanation([], [controller("dc1", State.OK)], lacking))
    assert verdict.at[0].because == lacking


def test_a_problem_is_never_hidden_by_what_cannot_be_told_and_not_knowing_never_passes() -> None:
    unsure = controller("dc1", State.OK, State.CANNOT_TELL)
    assert judge(explanation([one_key(dc1=State.OK)], [unsure])).state is State.CANNOT_TELL
    assert judge(explanation([one_key(dc1=State.PROBLEM)], [unsure])).state is State.PROBLEM
    assert judge(explanation([one_key()], [])).state is State.CANNOT_TELL


@pytest.mark.parametrize(
    ("state", "samba", "expected", "words"),
    [
        (WELL, True, State.OK, "enabled"),
        (replace(WELL, control=0x40200), True, State.OK, "smart card is required"),
        (replace(WELL, control=0x202), True, State.PROBLEM, "disabled"),
        (replace(WELL, computed=0x10), True, State.PROBLEM, "locked out"),
        (replace(WELL, expires=datetime(2020, 1, 1, tzinfo=UTC)), True, State.PROBLEM, "expired on 2020-01-01"),
        (replace(WELL, expires=datetime(2090, 1, 1, tzinfo=UTC)), True, State.OK, "enabled"),
        (replace(WELL, hours=bytes(21)), True, State.PROBLEM, "logon hours"),
        (replace(WELL, hours=b"\xff" * 21), True, State.OK, "enabled"),
        (replace(WELL, control=0x200200), True, State.PROBLEM, "DES"),
        (replace(WELL, computed=0x800000), True, State.PROBLEM, "Samba then refuses"),
        (replace(WELL, computed=0x800000), False, State.CANNOT_TELL, "depends on policy"),
        (replace(WELL, control=None), True, State.CANNOT_TELL, "userAccountControl may not be read"),
        (replace(WELL, computed=None), True, State.CANNOT_TELL, "locked out"),
    ],
)
def test_the_state_of_an_account(state: AccountState, samba: bool, expected: State, words: str) -> None:
    link = account_state.link(state, samba=samba, now=NOW)
    assert (link.state, words in link.sentence) == (expected, True), link.sentence


def test_the_hour_of_the_week_is_counted_from_sunday_midnight_utc() -> None:
    """2026-01-02 is a Friday; 03:04 is in hour 5 * 24 + 3."""
    hours = bytearray(21)
    hours[(5 * 24 + 3) // 8] = 1 << ((5 * 24 + 3) % 8)
    link = account_state.link(replace(WELL, hours=bytes(hours)), samba=False, now=NOW)
    assert link.state is State.OK


@pytest.mark.parametrize("expires", [b"0", b"9223372036854775807", b"9223372036854775806", b"not a number"])
def test_accounts_that_never_expire_are_not_taken_for_expired(expires: bytes) -> None:
    state = account_state.from_entry({"accountexpires": [expires], "USERACCOUNTCONTROL": [b"512"]})
    assert state.expires is None
    assert state.control == 512


@pytest.mark.parametrize(
    ("facts", "expected", "words"),
    [
        (ControllerFacts("dc1", False, "No answer."), State.CANNOT_TELL, "No answer."),
        (ControllerFacts("dc1", False, "", replace(WINDOWS, level=6)), State.PROBLEM, "older than Windows Server 2016"),
        (ControllerFacts("dc1", False, "", replace(SAMBA, vendor="Samba 4.22.3")), State.PROBLEM, "Samba 4.22"),
        (ControllerFacts("dc1", False, "", SAMBA), State.PROBLEM, "does not know the account"),
        (ControllerFacts("dc1", True, "", WINDOWS, WELL, ()), State.CANNOT_TELL, "read-only"),
    ],
)
def test_what_a_controller_lacks(facts: ControllerFacts, expected: State, words: str) -> None:
    links = chain(facts, now=NOW).links
    assert any(link.state is expected and words in link.sentence for link in links), links


def test_a_key_that_reached_one_controller_is_said_to_be_on_its_way_to_the_other() -> None:
    holdings = [Holding("dc1", False, (STORED,)), Holding("dc2", False, ()), Holding("dc3", False, None, "down")]
    (made,) = key_chains(USER, holdings, refusals=(), entries=())
    assert [made.at[host].state for host in ("dc1", "dc2", "dc3")] == [State.OK, State.PROBLEM, State.CANNOT_TELL]
    assert "has not arrived at dc2" in made.at["dc2"].sentence


def test_the_form_that_entra_connect_writes_is_good_for_windows_and_ignored_by_samba() -> None:
    holdings = [Holding("win", False, (STORED,)), Holding("smb", True, (STORED,))]
    (made,) = key_chains(USER, holdings, refusals=(), entries=())
    assert made.at["win"].state is State.OK
    assert made.at["smb"].state is State.PROBLEM


def test_a_key_that_is_no_longer_registered_is_shown_and_an_unknown_list_is_not_taken_for_that() -> None:
    holdings = [Holding("dc1", False, (STORED,))]
    revoked = replace(USER, keys=Reported(()))
    unknown = replace(USER, keys=Unknown("not read"))
    states = [key_chains(user, holdings, refusals=(), entries=())[0].links[0] for user in (revoked, unknown, None)]
    assert [link.state for link in states] == [State.OK, State.CANNOT_TELL, State.CANNOT_TELL]
    assert "Not registered" in states[0].sentence
