"""Each check on recorded answers: once it passes, once it fails for the right reason, once it cannot tell."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.support import recorded
from tests.support.breakages import BREAKAGES, RECORDED_ONLY
from tests.support.check_cases import CASES as MORE
from tests.support.recorded import UNREAD, certificate, controller, dead, domain, facts, judged, listing, said

from keytrust.deploy.checks import CHECKS, Verdict, examine
from keytrust.deploy.checks.facts import KdcAnswer, KeyTrial, Root, Trust, Unread
from keytrust.deploy.checks.world import Facts

PASS, WARN, FAIL, CANNOT_TELL = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.CANNOT_TELL


def shows(**fields: object) -> Facts:
    shown = certificate(**fields)  # type: ignore[arg-type]
    return facts(controller(ldaps=shown, starttls=shown))


def kdc(code: int | None, *offered: int, offset: float | None = 0.0) -> Facts:
    answer = KdcAnswer(code, frozenset(offered), offset)
    return facts(controller(kdc_tcp=answer, kdc_udp=answer))


def behind(seconds: float) -> Facts:
    return kdc(25, 16, offset=-seconds)


# Made with openssl: the library that the tests use no longer makes such signatures.
SIGNED_WITH_SHA1 = b"""\
-----BEGIN CERTIFICATE-----
MIIBbzCCARagAwIBAgIUV2ixHSClvp2n3G1YFLla+kSB+6UwCQYHKoZIzj0EATAO
MQwwCgYDVQQDDANvbGQwHhcNMjYxMTI0MTgzMzI1WhcNMzYxMTIxMTgzMzI1WjAO
MQwwCgYDVQQDDANvbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATe9L22A0O1
vkOINoUC1nfiFQ+4M9WpR5ewAWUHmkUeKF6EfBiVQR5er1Q1DHhKzaktkXkcxz2b
8JQGmRC9th90o1MwUTAdBgNVHQ4EFgQUbGj5YsrkiHdIX26Xr2azM7MnHEQwHwYD
VR0jBBgwFoAUbGj5YsrkiHdIX26Xr2azM7MnHEQwDwYDVR0TAQH/BAUwAwEB/zAJ
BgcqhkjOPQQBA0gAMEUCIFZpTBKqfUnIkgYr6Cdq4opcWfElpl7jTn6hC6Ww8EVa
AiEA34vyE/E3e5JXTZJZJDWClrNXl8PsiWY8aXujcqtf1V8=
-----END CERTIFICATE-----
"""

OLD = listing(level=6, system="Windows Server 2012 R2 Standard", version="6.3 (9600)")
OLD_ROOT = Root("Windows", False, 6, False, 0.0)

# check, facts, verdict, what the evidence says
CASES: list[tuple[str, Facts, Verdict, str]] = [
    ("domain-level", facts(), PASS, "7 (2016)"),
    ("domain-level", facts(domain=domain(level=3)), FAIL, "3 (2008)"),
    ("domain-level", facts(domain=UNREAD), CANNOT_TELL, UNREAD.why),
    ("forest-level", facts(), PASS, "7 (2016)"),
    ("forest-level", facts(domain=domain(forest_level=2)), FAIL, "2 (2003)"),
    ("forest-level", facts(domain=UNREAD), CANNOT_TELL, UNREAD.why),
    ("schema-version", facts(domain=domain(schema_version=87)), PASS, "version 87 (2016)"),
    ("schema-version", facts(domain=domain(schema_version=69)), FAIL, "version 69 (2012 R2)"),
    ("schema-version", facts(domain=domain(schema_version=None)), CANNOT_TELL, "objectVersion"),
    ("schema-version", facts(domain=UNREAD), CANNOT_TELL, UNREAD.why),
    ("schema-attribute", facts(), PASS, "5b47d60f"),
    ("schema-attribute", facts(domain=domain(key_link=None)), FAIL, "no msDS-KeyCredentialLink"),
    ("schema-attribute", facts(domain=domain(key_link="00000000-0000-0000-0000-000000000000")), FAIL, "not 5b47d60f"),
    ("schema-attribute", facts(domain=UNREAD), CANNOT_TELL, UNREAD.why),
    ("dc-answers", facts(), PASS, "Windows"),
    ("dc-answers", facts(controller(), dead()), FAIL, UNREAD.why),
    ("dc-answers", facts(complete=Unread("signing in failed")), CANNOT_TELL, "signing in failed"),
    ("dc-answers", facts(controller(listing=Unread("not listed"))), WARN, "not listed"),
    ("dc-capable", facts(controller(), controller("dc2.corp.example")), PASS, "2 of 2"),
    ("dc-capable", facts(controller(listing=OLD, root=OLD_ROOT)), FAIL, "Windows Server 2012 R2 Standard"),
    ("dc-capable", facts(controller(), controller("dc2.corp.example", listing=OLD, root=OLD_ROOT)), WARN, "dc1"),
    ("dc-capable", facts(dead(listing=listing(level=None))), CANNOT_TELL, "not known"),
    ("dc-capable", facts(dead(listing=listing(system="Samba-4.22.8"))), FAIL, "Samba-4.22.8"),
    ("dc-capable", facts(dead(listing=listing(system="Samba-4.24.7-Debian"))), PASS, "1 of 1"),
    ("dc-capable", facts(dead(listing=listing(system="Samba"))), CANNOT_TELL, "not known"),
    ("dc-capable", facts(complete=UNREAD), CANNOT_TELL, UNREAD.why),
    ("clock", facts(), PASS, "in step"),
    ("clock", behind(301), FAIL, "301 s behind"),
    ("clock", behind(-301), FAIL, "301 s ahead"),
    ("clock", behind(61), WARN, "61 s behind"),
    ("clock", facts(dead()), CANNOT_TELL, "did not tell"),
    ("clock", facts(controller(root=Root("Windows", False, 7, False, 400.0))), FAIL, "rootDSE"),
    ("kdc-answers", facts(), PASS, "TCP and UDP"),
    ("kdc-answers", facts(controller(kdc_tcp=UNREAD, kdc_udp=UNREAD)), FAIL, UNREAD.why),
    ("kdc-answers", facts(controller(kdc_tcp=UNREAD)), FAIL, "answers over UDP"),
    ("kdc-answers", facts(controller(kdc_udp=UNREAD)), WARN, "answers over TCP"),
    ("pkinit-offered", facts(), PASS, "PA-PK-AS-REQ, and refuses a key that nobody has (error 62)"),
    ("pkinit-offered", facts(controller(kdc_key=KeyTrial(31))), FAIL, "not set up for it"),
    ("pkinit-offered", facts(controller(kdc_key=KeyTrial(16))), FAIL, "no certificate that is fit"),
    ("pkinit-offered", facts(controller(kdc_key=KeyTrial(None))), FAIL, "gave a ticket"),
    ("pkinit-offered", facts(controller(kdc_key=KeyTrial(18))), CANNOT_TELL, "disabled or locked (error 18)"),
    ("pkinit-offered", facts(controller(kdc_key=UNREAD)), CANNOT_TELL, UNREAD.why),
    ("pkinit-offered", kdc(25, 2, 19), FAIL, "types 2, 19"),
    ("pkinit-offered", kdc(25), FAIL, "types none"),
    ("pkinit-offered", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("pkinit-offered", kdc(6), CANNOT_TELL, "does not know the account"),
    ("pkinit-offered", kdc(None), CANNOT_TELL, "DONT_REQ_PREAUTH"),
    ("dc-certificate", facts(), PASS, "Corp Issuing CA"),
    ("dc-certificate", facts(controller(ldaps=UNREAD, starttls=UNREAD)), FAIL, UNREAD.why),
    ("dc-certificate", facts(controller(ldaps=UNREAD)), WARN, "StartTLS works"),
    ("dc-certificate", facts(controller(starttls=UNREAD)), WARN, "LDAPS works"),
    ("dc-certificate", facts(controller(starttls=certificate(bits=3072))), WARN, "different certificates"),
    ("dc-certificate", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-validity", facts(), PASS, "until 2027-10-25"),
    ("dc-certificate-validity", shows(ends=timedelta(hours=-1)), FAIL, "expired on 2026-11-24 11:00"),
    ("dc-certificate-validity", shows(begins=timedelta(days=1)), FAIL, "not valid before 2026-11-25"),
    ("dc-certificate-validity", shows(begins=timedelta(days=-300), ends=timedelta(days=20)), WARN, "in 20 days"),
    ("dc-certificate-validity", shows(begins=timedelta(days=-2), ends=timedelta(days=5)), PASS, "until"),
    ("dc-certificate-validity", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-purposes", facts(), PASS, "KDC authentication"),
    ("dc-certificate-purposes", shows(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)), FAIL, "lacks KDC authentication"),
    ("dc-certificate-purposes", shows(purposes=None), FAIL, "no extended key usage"),
    ("dc-certificate-purposes", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-name", shows(names=("DC1.CORP.EXAMPLE",)), PASS, "DC1"),
    ("dc-certificate-name", shows(names=("old.corp.example",)), FAIL, "is for old.corp.example"),
    ("dc-certificate-name", shows(names=()), FAIL, "no subjectAltName"),
    ("dc-certificate-name", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-key", facts(), PASS, "RSA 2048, signed with sha256"),
    ("dc-certificate-key", shows(curve=True), PASS, "EC secp256r1"),
    ("dc-certificate-key", shows(bits=1024), FAIL, "RSA 1024 is shorter"),
    ("dc-certificate-key", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-usage", facts(), PASS, "key encipherment"),
    ("dc-certificate-usage", shows(encipher=False), FAIL, "lacks key encipherment"),
    ("dc-certificate-usage", shows(curve=True, encipher=False), PASS, "digital signature"),
    ("dc-certificate-usage", shows(encipher=None), WARN, "does not say"),
    ("dc-certificate-usage", facts(dead()), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-trust", facts(), PASS, "/etc/keytrust/ca.pem"),
    ("dc-certificate-trust", facts(controller(trust=Trust("x", "self-signed certificate"))), FAIL, "self-signed"),
    ("dc-certificate-trust", facts(dead()), CANNOT_TELL, UNREAD.why),
]


@pytest.mark.parametrize(
    ("check", "given", "verdict", "evidence"),
    [*CASES, *MORE],
    ids=[f"{case[0]}-{n}" for n, case in enumerate([*CASES, *MORE])],
)
def test_a_check_says_what_is_so_and_why(check: str, given: Facts, verdict: Verdict, evidence: str) -> None:
    seen = said(check, given)
    assert (seen.verdict, evidence in seen.seen) == (verdict, True), seen


def test_every_check_has_been_seen_to_pass_to_fail_and_not_to_know() -> None:
    seen = {(check, verdict) for check, _, verdict, _ in (*CASES, *MORE)}
    for check in CHECKS:
        assert (check.id, PASS) in seen
        assert (check.id, FAIL) in seen or (check.id, WARN) in seen, check.id
        assert (check.id, CANNOT_TELL) in seen or check.id in {"kdc-answers", "cloud-answers"}, check.id


def test_nothing_passes_when_nothing_could_be_read() -> None:
    blind = Facts(recorded.NOW, UNREAD, (dead(listing=UNREAD),), UNREAD)
    empty = Facts(recorded.NOW, UNREAD, (), UNREAD)
    for given in (blind, empty):
        for result in examine(CHECKS, given):
            assert PASS not in {seen.verdict for seen in result.observations}, result


def test_one_bad_domain_controller_among_many_decides_and_is_named() -> None:
    many = [controller(f"dc{number}.corp.example") for number in range(50)]
    result = judged("clock", facts(*many, controller("late.corp.example", kdc_tcp=KdcAnswer(25, frozenset(), 999.0))))
    assert result.verdict is FAIL
    assert result.observations[0].subject == "late.corp.example"
    assert len(result.observations) == 51


def test_a_certificate_signed_with_sha1_is_refused() -> None:
    old = x509.load_pem_x509_certificate(SIGNED_WITH_SHA1)
    seen = said("dc-certificate-key", facts(controller(ldaps=old, starttls=old)))
    assert (seen.verdict, seen.seen) == (FAIL, "it is signed with SHA1")


def test_ids_are_stable_names_and_unique() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    assert all(check.fix and check.why and check.title for check in CHECKS)


def test_every_check_is_seen_to_fail_on_a_real_domain_or_it_is_said_why_not() -> None:
    on_a_lab = {name for broken in BREAKAGES for name in broken.found}
    assert on_a_lab.isdisjoint(RECORDED_ONLY)
    assert on_a_lab | set(RECORDED_ONLY) == {check.id for check in CHECKS}
    recorded_to_fail = {check for check, _, verdict, _ in (*CASES, *MORE) if verdict in (FAIL, WARN)}
    assert recorded_to_fail == {check.id for check in CHECKS}
