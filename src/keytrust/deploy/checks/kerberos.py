"""What each KDC answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keytrust.deploy.checks.facts import ControllerFacts, KdcAnswer, KeyTrial, Unread
from keytrust.deploy.checks.model import Check, Observation, Section, cannot_tell, failed, passed, warning
from keytrust.deploy.checks.world import Facts

PA_PK_AS_REQ = 16
PREAUTH_REQUIRED = 25
_JUDGED_THE_KEY = frozenset({62, 64, 66, 70, 71, 72, 75, 77})
"""Codes by which a KDC says that it does PKINIT and that this key, or its certificate, is not good enough (RFC 4556
section 3.2.3, [MS-PKCA] 3.1.5.1)."""
_NO_PKINIT = {
    16: "it has no certificate that is fit for it (KDC_ERR_PADATA_TYPE_NOSUPP)",
    31: "its KDC is not set up for it, or cannot read its certificate",  # Samba 4.24, seen
}
_CODES = {
    6: "the realm does not know the account that was asked for",
    14: "it supports none of the encryption types that were asked for",
    18: "the account that was asked for is disabled or locked",
    23: "the password of the account that was asked for has expired",
    37: "the clocks differ too much",
    68: "it serves another realm",
}
"""Error codes of RFC 4120 section 7.5.9, as far as a request without pre-authentication meets them."""

ALLOWED_SKEW = 300
"""Seconds that Kerberos in Active Directory allows."""
WORRYING_SKEW = 60


def kdc_answers(facts: Facts) -> Iterator[Observation]:
    """Whether Kerberos is answered over both transports."""
    for controller in facts.controllers:
        tcp, udp = controller.kdc_tcp, controller.kdc_udp
        if isinstance(tcp, KdcAnswer) and isinstance(udp, KdcAnswer):
            yield passed("answers over TCP and UDP", controller.host)
        elif isinstance(tcp, Unread) and isinstance(udp, Unread):
            yield failed(f"{tcp.why}; {udp.why}" if tcp.why != udp.why else tcp.why, controller.host)
        elif isinstance(tcp, Unread):
            # A request with a certificate does not fit a datagram.
            yield failed(f"{tcp.why}; it answers over UDP", controller.host)
        elif isinstance(udp, Unread):
            yield warning(f"{udp.why}; it answers over TCP", controller.host)


def pkinit_offered(facts: Facts) -> Iterator[Observation]:
    """Whether each KDC offers pre-authentication by public key, and then really looks at a key.

    The offer alone says little: Samba makes it without any configuration for PKINIT (seen on 4.24), and Windows without
    a usable certificate.
    """
    for controller in facts.controllers:
        answers = [answer for answer in (controller.kdc_tcp, controller.kdc_udp) if isinstance(answer, KdcAnswer)]
        if not answers:
            why = controller.kdc_tcp.why if isinstance(controller.kdc_tcp, Unread) else "it did not answer"
            yield cannot_tell(why, controller.host)
        else:
            yield _offers(answers[0], controller)


def _offers(answer: KdcAnswer, controller: ControllerFacts) -> Observation:
    if answer.code is None:
        return cannot_tell(
            "it gave a ticket without pre-authentication, so it named none; the account that was asked for has "
            "DONT_REQ_PREAUTH set",
            controller.host,
        )
    if answer.code != PREAUTH_REQUIRED:
        reason = _CODES.get(answer.code, "it refused")
        return cannot_tell(f"{reason} (error {answer.code})", controller.host)
    types = ", ".join(map(str, sorted(answer.offered))) or "none"
    if PA_PK_AS_REQ in answer.offered:
        return _looks_at_keys(controller)
    return failed(f"does not offer PA-PK-AS-REQ (types {types})", controller.host)


def _looks_at_keys(controller: ControllerFacts) -> Observation:
    match controller.kdc_key:
        case Unread(why):
            return cannot_tell(f"it offers PKINIT; a key could not be tried: {why}", controller.host)
        case KeyTrial(None):
            return failed("it gave a ticket for a key that nobody has registered", controller.host)
        case KeyTrial(code) if code in _JUDGED_THE_KEY:
            return passed(f"offers PA-PK-AS-REQ, and refuses a key that nobody has (error {code})", controller.host)
        case KeyTrial(code) if code in _NO_PKINIT:
            return failed(f"offers PKINIT and cannot do it: {_NO_PKINIT[code]} (error {code})", controller.host)
        case KeyTrial(code):
            reason = _CODES.get(code or 0, "it refused")
            return cannot_tell(
                f"it offers PKINIT, and said to a key that nobody has: {reason} (error {code})", controller.host
            )


def clock(facts: Facts) -> Iterator[Observation]:
    """The difference between each controller's clock and this machine's."""
    for controller in facts.controllers:
        offsets = _offsets(controller)
        if not offsets:
            yield cannot_tell("it did not tell the time", controller.host)
            continue
        offset, source = max(offsets, key=lambda each: abs(each[0]))
        seen = f"{_ahead(offset)} (by its {source})"
        if abs(offset) > ALLOWED_SKEW:
            yield failed(seen, controller.host)
        elif abs(offset) > WORRYING_SKEW:
            yield warning(seen, controller.host)
        else:
            yield passed(seen, controller.host)


def _offsets(controller: ControllerFacts) -> list[tuple[float, str]]:
    found = []
    for answer, source in ((controller.kdc_tcp, "KDC"), (controller.kdc_udp, "KDC"), (controller.root, "rootDSE")):
        if not isinstance(answer, Unread) and answer.offset is not None:
            found.append((answer.offset, source))
    return found


def _ahead(offset: float) -> str:
    seconds = round(abs(offset))
    if not seconds:
        return "in step with this machine"
    return f"{seconds} s {'ahead of' if offset > 0 else 'behind'} this machine"


CHECKS: Iterable[Check] = (
    Check(
        "clock",
        Section.BASELINE,
        "The clocks of domain controllers and of this machine agree",
        "Kerberos refuses every sign-in when clocks differ by more than 5 minutes.",
        "Synchronise them: chronyc tracking here, w32tm /query /status on Windows",
        clock,
    ),
    Check(
        "kdc-answers",
        Section.SIGN_IN,
        "Every domain controller answers Kerberos requests",
        "A device that is sent to one that does not waits, and then fails to sign in.",
        "Start the KDC, and open port 88, TCP and UDP, from here and from the devices",
        kdc_answers,
    ),
    Check(
        "pkinit-offered",
        Section.SIGN_IN,
        "Every KDC does sign-in by public key (PKINIT)",
        "A key signs in by PKINIT and by nothing else. Each is tried with a key made for the purpose, which it has to "
        "refuse as unknown: many offer PKINIT without being set up for it.",
        "Give the KDC a certificate: keytrust setup pki on Samba; autoenrolment of Kerberos Authentication on Windows",
        pkinit_offered,
    ),
)
