"""What ``keytrust init`` says to put right first."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.recorded import facts

from keytrust.cli.doctor_view import Examined, show_first
from keytrust.deploy.checks import CHECKS, Observation, Result, Verdict
from keytrust.deploy.checks.facts import Unread

PASS, WARN, FAIL, CANNOT_TELL = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.CANNOT_TELL


def examined(*verdicts: Verdict) -> Examined:
    """As if the first checks of the guide's order had come to these verdicts."""
    return Examined(
        facts(),
        tuple(
            Result(check, (Observation(verdict, "as seen", "dc1"),))
            for check, verdict in zip(CHECKS, verdicts, strict=False)
        ),
    )


@pytest.mark.parametrize(
    ("verdicts", "first"),
    [
        ((PASS, FAIL, FAIL), 1),
        ((WARN, CANNOT_TELL, PASS, FAIL), 3),
        ((PASS, WARN, CANNOT_TELL), 2),
        ((PASS, PASS, WARN, WARN), 2),
    ],
)
def test_the_worst_comes_first_and_of_equals_what_the_guide_has_first(
    verdicts: tuple[Verdict, ...], first: int, capsys: pytest.CaptureFixture[str]
) -> None:
    show_first(examined(*verdicts), "keytrust.toml")
    shown = capsys.readouterr().out
    assert f"First, put this right: {CHECKS[first].id}" in shown
    assert "as seen" in shown
    assert "keytrust doctor -c keytrust.toml" in shown


def test_a_directory_that_cannot_be_read_comes_before_everything(capsys: pytest.CaptureFixture[str]) -> None:
    unread = dataclasses.replace(examined(FAIL), facts=dataclasses.replace(facts(), domain=Unread("no ticket")))
    show_first(unread, "keytrust.toml")
    shown = capsys.readouterr().out
    assert "First, put this right: no ticket" in shown
    assert CHECKS[0].id not in shown


def test_where_all_is_well_it_says_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    show_first(examined(PASS, PASS), "keytrust.toml")
    assert "All 2 checks pass. Next: keytrust plan -c keytrust.toml" in capsys.readouterr().out
