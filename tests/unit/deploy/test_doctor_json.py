"""What programs read of the doctor: the same fields in the same places, whatever it found."""

from __future__ import annotations

import json

import pytest
from tests.support.recorded import NOW, UNREAD, controller, dead, facts

from keytrust.cli.doctor_view import Examined, everything_json
from keytrust.deploy.checks import CHECKS, examine
from keytrust.deploy.checks.world import Facts

TOP = ["domain", "at", "worst", "exitCode", "checks"]
CHECK = ["id", "section", "page", "title", "why", "fix", "verdict", "accepted", "evidence"]
EVIDENCE = ["verdict", "subject", "seen"]


@pytest.mark.parametrize(
    "given",
    [facts(), facts(controller(), dead()), Facts(NOW, UNREAD, (), UNREAD)],
    ids=["well", "one is dead", "nothing could be read"],
)
def test_the_fields_are_always_the_same(given: Facts) -> None:
    told = json.loads(json.dumps(everything_json([Examined(given, examine(CHECKS, given))], frozenset({"clock"}))))
    assert list(told) == TOP
    assert [check["id"] for check in told["checks"]] == [check.id for check in CHECKS]
    for check in told["checks"]:
        assert list(check) == CHECK
        assert check["accepted"] is (check["id"] == "clock")
        assert check["evidence"], "never without a word"
        assert all(list(each) == EVIDENCE for each in check["evidence"])
        assert check["verdict"] == check["evidence"][0]["verdict"], "the worst comes first"


def test_with_several_domains_each_is_as_it_would_be_alone() -> None:
    examined = Examined(facts(), examine(CHECKS, facts()))
    told = everything_json([examined, examined], frozenset())
    assert list(told) == ["worst", "exitCode", "domains"]
    assert told["domains"] == [everything_json([examined], frozenset())] * 2
