"""A domain controller's KDC seen from outside: its certificate, and whether it offers sign-in by key.

The facts and the judgement are those of ``keytrust doctor``; here each becomes a link of one user's chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from keytrust.deploy.checks import certificates, kerberos
from keytrust.deploy.checks.facts import ControllerFacts, KdcAnswer, KeyTrial, Unread
from keytrust.deploy.checks.model import Check, Result, Verdict, examine
from keytrust.deploy.checks.world import Facts
from keytrust.deploy.reading.kdc import ask_tcp
from keytrust.deploy.reading.key_trial import KeyNobodyHas
from keytrust.deploy.reading.tls import Port, shown_certificate, trust
from keytrust.directory.replicas import Replica
from keytrust.explain.model import Link, State, Symptom

SECONDS = 4.0
"""Longest wait for one answer."""

_CERTIFICATE = frozenset({"dc-certificate-validity", "dc-certificate-purposes", "dc-certificate-name"})
_TRUST = "dc-certificate-trust"
_OFFERED = "pkinit-offered"
_NOT_ASKED = Unread("not asked")
_STATES = {
    Verdict.PASS: State.OK,
    Verdict.WARN: State.OK,
    Verdict.FAIL: State.PROBLEM,
    Verdict.CANNOT_TELL: State.CANNOT_TELL,
}


@dataclass(frozen=True, slots=True)
class KdcLook:
    """Looks at KDCs.

    Attributes:
        anchors: The authorities that devices know; None when that is not configured, and nothing is said of trust.
        name: The account that is asked for, one that may sign in.
        realm: The realm.
    """

    anchors: Path | None
    name: str
    realm: str

    def __call__(self, replica: Replica) -> tuple[Link, ...]:
        """The links about this one's KDC."""
        host = replica.host
        answer = ask_tcp(host, self.name, self.realm, SECONDS)
        facts = ControllerFacts(
            host,
            listing=_NOT_ASKED,
            root=_NOT_ASKED,
            ldaps=shown_certificate(host, Port.LDAPS, SECONDS),
            starttls=_NOT_ASKED,
            trust=trust(host, self.anchors, SECONDS) if self.anchors else _NOT_ASKED,
            kdc_tcp=answer,
            kdc_udp=_NOT_ASKED,
            ports=_NOT_ASKED,
            kdc_key=answer if isinstance(answer, Unread) else self._try_key(host),
        )
        return links_of(facts, datetime.now(UTC))

    def _try_key(self, host: str) -> KeyTrial | Unread:
        return KeyNobodyHas(self.name, self.realm, SECONDS).try_at(host)


def links_of(facts: ControllerFacts, now: datetime) -> tuple[Link, ...]:
    """What the facts about one KDC mean for a sign-in by key. Pure."""
    everything = Facts(now, _NOT_ASKED, (facts,))
    judged = {result.check.id: result for result in examine(_chosen(), everything)}
    certificate = [result for name, result in judged.items() if name in _CERTIFICATE]
    links = [_worst("certificate", "The certificate", certificate)]
    if facts.trust is not _NOT_ASKED:
        links.append(_trust(judged[_TRUST]))
    if isinstance(facts.kdc_tcp, KdcAnswer):
        links.append(_worst("pkinit", "Sign-in by key (PKINIT)", [judged[_OFFERED]]))
    else:
        links.append(_silent(facts.kdc_tcp.why))
    return tuple(links)


def _chosen() -> list[Check]:
    wanted = _CERTIFICATE | {_TRUST, _OFFERED}
    return [check for check in (*certificates.CHECKS, *kerberos.CHECKS) if check.id in wanted]


def _worst(name: str, what: str, results: list[Result]) -> Link:
    result = max(results, key=lambda each: each.verdict.severity)
    state = _STATES[result.verdict]
    evidence = tuple((each.check.id, each.observations[0].seen) for each in results)
    if state is State.OK:
        seen = "; ".join(each.observations[0].seen for each in results)
        return Link(name, state, f"{what} is good: {seen}.", evidence=evidence)
    symptom = Symptom.CONTROLLER if state is State.PROBLEM else None
    seen = result.observations[0].seen
    return Link(name, state, f"{what}: {seen}.", f"{result.check.fix}.", symptom, evidence)


def _trust(result: Result) -> Link:
    seen = result.observations[0].seen
    if result.verdict is Verdict.PASS:
        return Link("trust", State.OK, f"The certificate is {seen}.")
    remedy = f"{result.check.fix}. If devices know other authorities, name those with kdc_ca_file in [signin]."
    return Link("trust", _STATES[result.verdict], f"The certificate is {seen}.", remedy, Symptom.CONTROLLER)


def _silent(why: str) -> Link:
    return Link(
        "pkinit",
        State.CANNOT_TELL,
        f"The KDC does not answer here: {why}.",
        "See that the KDC runs and that port 88 is open.",
        Symptom.NO_DOMAIN,
    )
