"""What a KDC's certificate and its offers mean for one user's sign-in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.support.recorded import NOW, UNREAD, certificate, controller, dead

from keytrust.deploy.checks.facts import ControllerFacts, KdcAnswer, Trust
from keytrust.explain.kdc import links_of
from keytrust.explain.model import Link, State, Symptom


def links(facts: ControllerFacts) -> dict[str, Link]:
    return {link.id: link for link in links_of(facts, NOW)}


def test_a_healthy_kdc_is_good_in_every_link() -> None:
    assert {name: link.state for name, link in links(controller()).items()} == {
        "certificate": State.OK,
        "trust": State.OK,
        "pkinit": State.OK,
    }


@pytest.mark.parametrize(
    ("facts", "link", "words"),
    [
        (controller(ldaps=certificate(ends=timedelta(days=-1))), "certificate", "expired on"),
        (
            controller(ldaps=certificate(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))),
            "certificate",
            "lacks KDC authentication",
        ),
        (controller(ldaps=certificate("other.example")), "certificate", "is for other.example"),
        (controller(trust=Trust("/ca.pem", "unable to get local issuer")), "trust", "unable to get local issuer"),
        (controller(kdc_tcp=KdcAnswer(25, frozenset({2, 19}), 0.0)), "pkinit", "does not offer"),
    ],
)
def test_what_keeps_devices_from_trusting_a_kdc_is_named_in_what_the_user_sees(
    facts: ControllerFacts, link: str, words: str
) -> None:
    found = links(replace(facts, starttls=UNREAD))[link]
    assert found.state is State.PROBLEM
    assert words in found.sentence
    assert found.symptom is Symptom.CONTROLLER
    assert found.remedy


def test_a_certificate_that_ends_soon_does_not_keep_anybody_out() -> None:
    facts = controller(ldaps=certificate(ends=timedelta(days=5)), starttls=UNREAD)
    assert links(facts)["certificate"].state is State.OK


def test_a_kdc_that_does_not_answer_here_cannot_be_told() -> None:
    assert {link.state for link in links(dead()).values()} == {State.CANNOT_TELL}
