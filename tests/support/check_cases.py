"""Cases of the checks that judge PKI, DNS, the cloud, accounts and the roll-out: check, facts, verdict, evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.support.recorded import (
    CRL_URL,
    NOW,
    TENANT,
    UNREAD,
    account,
    authority,
    certificate,
    connector,
    controller,
    crl,
    dead,
    facts,
    listing,
    pairing,
    pki,
    policies,
    policy,
    rights,
    users,
    ways,
)

from keytrust.cloud.source import CloudUser
from keytrust.credential import Dialect, KeyCredentialLink, build
from keytrust.deploy.checks import Verdict
from keytrust.deploy.checks.account_facts import CloudFacts, Pairing, RegistrationPoint
from keytrust.deploy.checks.facts import Root, Unread
from keytrust.deploy.checks.pki_facts import EnrolmentService
from keytrust.deploy.checks.policy_facts import GroupPolicy
from keytrust.deploy.checks.world import Facts

PASS, WARN, FAIL, CANNOT_TELL = Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.CANNOT_TELL
Case = tuple[str, Facts, Verdict, str]

SAMBA = Root("Samba 4.24.7", True, 7, False, 0.0)
OLD = {"listing": listing(level=6, version="6.3 (9600)"), "root": Root("Windows", False, 6, False, 0.0)}


def shows(**fields: Any) -> Facts:
    shown = certificate(**fields)
    return facts(controller(ldaps=shown, starttls=shown))


def records(*hosts: str) -> Facts:
    return facts(records={"_ldap._tcp.dc._msdcs": frozenset(hosts)})


def keywords(*words: str) -> Facts:
    return facts(registration=RegistrationPoint("CN=62a0ff2e", words))


def site(capable: int, old: int, **fields: Any) -> Facts:
    able = [controller(f"new{number}.corp.example") for number in range(capable)]
    return facts(
        *able, *(controller(f"old{number}.corp.example", **OLD) for number in range(old)), users=users(**fields)
    )


def told(**computers: int) -> Facts:
    return facts(policies=policies(policy(**computers)))


def enrolling(where: str, value: int) -> Facts:
    return facts(policies=policies(GroupPolicy("Enrol", (where,), {"computers": {}}, value)))


def with_key(information: bytes) -> Facts:
    key = build(bytes(283), device_id=None, created=NOW, dialect=Dialect.ENTRA, custom_key_information=information)
    held = str(KeyCredentialLink.of(key, account().dn)).encode()
    return facts(users=users(sample=(account(values=(held, b"B:2:00:damaged")),)))


def version(text: str) -> Facts:
    return facts(controller(listing=listing(version=text)))


SERVICE = EnrolmentService("Old CA", "ca", ("DomainController", "WebServer"))

CASES: list[Case] = [
    ("pki-ntauth", facts(), PASS, "Corp Issuing CA"),
    ("pki-ntauth", facts(pki=pki(ntauth=(authority("Another CA"),))), FAIL, "is not in NTAuth"),
    ("pki-ntauth", facts(pki=pki(ntauth=())), FAIL, "is not in NTAuth"),
    ("pki-ntauth", facts(pki=pki(ntauth=None)), FAIL, "no NTAuth store"),
    ("pki-ntauth", facts(controller(root=SAMBA), pki=pki(ntauth=None)), WARN, "no NTAuth store"),
    ("pki-ntauth", facts(dead()), CANNOT_TELL, "no certificate"),
    ("pki-ntauth", facts(pki=UNREAD), CANNOT_TELL, UNREAD.why),
    ("pki-superseded", facts(), PASS, "none of the old ones"),
    ("pki-superseded", facts(pki=pki(services=())), PASS, "no authority"),
    ("pki-superseded", facts(pki=pki(services=(SERVICE,))), WARN, "still issues DomainController"),
    ("pki-superseded", facts(pki=UNREAD), CANNOT_TELL, UNREAD.why),
    ("dc-certificate-template", facts(), PASS, "KerberosAuthentication"),
    ("dc-certificate-template", shows(template="DomainController"), FAIL, "superseded template DomainController"),
    ("dc-certificate-template", shows(template=""), WARN, "names no template"),
    ("dc-certificate-template", facts(controller(root=SAMBA, ldaps=certificate(template=""))), PASS, "Samba"),
    ("dc-certificate-template", facts(dead()), CANNOT_TELL, "no certificate"),
    ("dc-certificate-revocation", facts(), PASS, "good until 2026-11-30"),
    ("dc-certificate-revocation", shows(lists=()), WARN, "names no revocation list"),
    ("dc-certificate-revocation", shows(lists=("ldap:///CN=Corp",)), WARN, "names only ldap:///CN=Corp"),
    ("dc-certificate-revocation", facts(crls={CRL_URL: Unread("answered 404")}), FAIL, "answered 404"),
    ("dc-certificate-revocation", facts(crls={}), FAIL, "not fetched"),
    ("dc-certificate-revocation", facts(crls={CRL_URL: crl(revoked=frozenset({4711}))}), FAIL, "is revoked"),
    ("dc-certificate-revocation", facts(crls={CRL_URL: crl(signature_good=False)}), FAIL, "not signed"),
    ("dc-certificate-revocation", facts(crls={CRL_URL: crl(next_update=NOW - timedelta(1))}), FAIL, "2026-11-23"),
    ("dc-certificate-revocation", facts(crls={CRL_URL: crl(next_update=NOW + timedelta(hours=5))}), WARN, "17:00"),
    ("dc-certificate-revocation", facts(dead()), CANNOT_TELL, "no certificate"),
    ("dns-records", facts(), PASS, "dc1.corp.example"),
    ("dns-records", records(), FAIL, "no such records"),
    ("dns-records", records("gone.corp.example"), FAIL, "none of the domain controllers"),
    ("dns-records", records("dc1.corp.example", "gone.corp.example"), FAIL, "gone.corp.example, which the directory"),
    ("dns-records", replace(records("dc1.corp.example"), controllers=(controller(), dead())), WARN, "dc9.corp.example"),
    ("dns-records", facts(records={"_ldap._tcp.dc._msdcs": UNREAD}), CANNOT_TELL, UNREAD.why),
    ("dns-records", facts(records={}), CANNOT_TELL, "nothing to look at"),
    ("cloud-answers", facts(), PASS, "https://graph.example"),
    ("cloud-answers", facts(cloud=UNREAD), FAIL, UNREAD.why),
    ("cloud-permissions", facts(), PASS, "collection"),
    ("cloud-permissions", facts(cloud=CloudFacts("x", ways(keys=False))), FAIL, "collection: as recorded"),
    ("cloud-permissions", facts(cloud=CloudFacts("x", ways(audits=False))), WARN, "AuditLog.Read.All"),
    ("cloud-permissions", facts(cloud=CloudFacts("x", ways(keys=None))), CANNOT_TELL, "no user to try"),
    ("cloud-permissions", facts(cloud=UNREAD), CANNOT_TELL, UNREAD.why),
    ("source-anchor", facts(), PASS, "agree"),
    ("source-anchor", facts(pairings=(pairing(source_anchor=b"b" * 16),)), FAIL, "62626262"),
    ("source-anchor", facts(pairings=(pairing(source_anchor=None),)), FAIL, "has no source anchor"),
    ("source-anchor", facts(pairings=(pairing(sid="S-1-5-21-1-2-3-9"),)), FAIL, "S-1-5-21-1-2-3-9"),
    ("source-anchor", facts(pairings=(pairing(sid=None),)), WARN, "no SID"),
    ("source-anchor", facts(pairings=(pairing(None, CloudUser("2", "b@x", b"a" * 16, None)),)), FAIL, "2 cloud users"),
    ("source-anchor", facts(pairings=(Pairing(account(), ()),)), WARN, "no user for it"),
    ("source-anchor", facts(pairings=(Pairing(account(values=(b"B:2:00:x",)), ()),)), FAIL, "and it has keys"),
    ("source-anchor", facts(pairings=UNREAD), CANNOT_TELL, UNREAD.why),
    ("source-anchor", facts(pairings=()), CANNOT_TELL, "nothing to look at"),
    ("upn-domain", facts(), PASS, "on both sides"),
    ("upn-domain", facts(pairings=(pairing(upn="anna@corp.onmicrosoft.com"),)), FAIL, "not a verified domain"),
    ("upn-domain", facts(pairings=(pairing(account(upn="anna@corp.local")),)), FAIL, "corp.local is not"),
    ("upn-domain", facts(pairings=(pairing(account(upn=None)),)), FAIL, "no userPrincipalName"),
    ("upn-domain", facts(pairings=(pairing(upn="a.smith@corp.example"),)), WARN, "all the same"),
    ("upn-domain", facts(pairings=UNREAD), CANNOT_TELL, UNREAD.why),
    ("policy", facts(), PASS, "turns it on for computers (linked to OU=People,DC=corp,DC=example)"),
    ("policy", told(usecertificateforonpremauth=1), FAIL, "wants certificates of computers"),
    ("policy", told(usecloudtrustforonpremauth=1), WARN, "cloud Kerberos trust"),
    ("policy", told(requiresecuritydevice=0), WARN, "without a hardware security device"),
    ("policy", told(disablepostlogonprovisioning=1), WARN, "from being asked"),
    ("policy", told(enabled=0), CANNOT_TELL, "no group policy that can be read turns it on"),
    ("policy", facts(policies=policies()), CANNOT_TELL, "device management (Intune)"),
    ("policy", facts(policies=policies(policy(), hidden=2)), CANNOT_TELL, "2 linked group policies"),
    ("policy", facts(policies=policies(policy(), GroupPolicy("X", ("DC=x",), UNREAD))), CANNOT_TELL, UNREAD.why),
    ("policy", facts(policies=UNREAD), CANNOT_TELL, UNREAD.why),
    ("dc-autoenrolment", enrolling("DC=corp,DC=example", 7), PASS, "turns it on (linked to DC=corp"),
    ("dc-autoenrolment", enrolling("OU=Domain Controllers,DC=corp,DC=example", 7), PASS, "turns it on"),
    ("dc-autoenrolment", enrolling("DC=corp,DC=example", 0), WARN, "is set to 0"),
    ("dc-autoenrolment", enrolling("OU=People,DC=corp,DC=example", 7), WARN, "no group policy"),
    ("dc-autoenrolment", facts(policies=policies(hidden=1)), CANNOT_TELL, "no group policy that can be read"),
    ("dc-autoenrolment", facts(policies=policies(GroupPolicy("X", ("DC=x",), UNREAD))), CANNOT_TELL, UNREAD.why),
    ("dc-autoenrolment", facts(pki=pki(services=())), PASS, "to enrol from"),
    ("dc-autoenrolment", facts(controller(root=SAMBA)), PASS, "Samba"),
    ("dc-autoenrolment", facts(policies=UNREAD), CANNOT_TELL, UNREAD.why),
    ("dc-autoenrolment", facts(pki=UNREAD), CANNOT_TELL, UNREAD.why),
    ("connector-reach", facts(), PASS, "88 (Kerberos), 389 (LDAP)"),
    ("connector-reach", facts(controller(ports={88: "", 636: "refused"})), FAIL, "port 636 (LDAPS): refused"),
    (
        "connector-reach",
        facts(controller(), controller(listing=listing(read_only=True), ports={389: "refused"})),
        WARN,
        "does without",
    ),
    ("connector-reach", facts(controller(ports=UNREAD)), CANNOT_TELL, UNREAD.why),
    ("connector-reach", facts(complete=UNREAD), CANNOT_TELL, UNREAD.why),
    ("ca-on-dc", facts(), PASS, "ca.corp.example, which is no domain controller"),
    ("ca-on-dc", facts(pki=pki(services=())), PASS, "no authority"),
    ("ca-on-dc", facts(pki=pki(services=(replace(SERVICE, host="DC1.corp.example"),))), WARN, "runs on the domain"),
    ("ca-on-dc", facts(pki=pki(services=(replace(SERVICE, host=""),))), CANNOT_TELL, "where it runs"),
    ("ca-on-dc", facts(complete=UNREAD), CANNOT_TELL, UNREAD.why),
    ("ca-on-dc", facts(pki=UNREAD), CANNOT_TELL, UNREAD.why),
    ("key-second-factor", with_key(b"\1\0"), PASS, "1 keys of a sample"),
    ("key-second-factor", with_key(b"\1\2"), WARN, "1 of 1 keys were made without a second factor"),
    ("key-second-factor", facts(), CANNOT_TELL, "says how it was made"),
    ("key-second-factor", facts(users=UNREAD), CANNOT_TELL, UNREAD.why),
    ("device-registration", facts(), PASS, "azureADName:corp.example"),
    ("device-registration", facts(registration=RegistrationPoint("x", None)), FAIL, "no service connection point"),
    ("device-registration", keywords(), FAIL, "has none"),
    ("device-registration", keywords(f"azureADId:{TENANT}"), FAIL, "one keyword azureADName"),
    ("device-registration", keywords("azureADId:nonsense", "azureADName:x"), FAIL, "is not an id"),
    ("device-registration", keywords(f"azureADId:{TENANT[:-1]}0", "azureADName:x"), FAIL, "the configuration"),
    ("device-registration", facts(registration=UNREAD), CANNOT_TELL, UNREAD.why),
    ("rollout-group", facts(), PASS, "has members"),
    ("rollout-group", facts(users=users(pilot_groups=())), WARN, "no group"),
    ("rollout-group", facts(users=users(pilot_groups=(("Windows Hello for Business", False),))), WARN, "no members"),
    ("rollout-group", facts(users=UNREAD), CANNOT_TELL, UNREAD.why),
    ("connector-rights", facts(), PASS, "tried on 12 users"),
    ("connector-rights", facts(rights=rights(lacking=("may not write of anna",))), FAIL, "of anna"),
    ("connector-rights", facts(rights=rights(surplus=("may also write member",))), WARN, "member"),
    ("connector-rights", facts(rights=rights(unknown=("too large",))), CANNOT_TELL, "too large"),
    ("connector-rights", facts(rights=rights(tried=0)), CANNOT_TELL, "no user"),
    ("connector-rights", facts(rights=UNREAD), CANNOT_TELL, UNREAD.why),
    ("enterprise-key-admins", facts(), PASS, "do not have"),
    ("enterprise-key-admins", facts(overgrant=True), FAIL, "full control of the domain"),
    ("enterprise-key-admins", facts(overgrant=UNREAD), CANNOT_TELL, UNREAD.why),
    ("connector-password", facts(), PASS, "40 days old"),
    ("connector-password", facts(connector=connector(managed=True, password_set=None)), PASS, "by itself"),
    ("connector-password", facts(connector=connector(password_expires=NOW)), FAIL, "expired on 2026-11-24"),
    ("connector-password", facts(connector=connector(password_expires=NOW + timedelta(9))), WARN, "2026-12-03"),
    ("connector-password", facts(connector=connector(password_set=NOW - timedelta(400))), WARN, "400 days old"),
    ("connector-password", facts(connector=connector(password_set=None)), CANNOT_TELL, "may not be seen"),
    ("connector-expiry", facts(), PASS, "does not expire"),
    ("connector-expiry", facts(connector=connector(account_expires=NOW)), FAIL, "expired"),
    ("connector-expiry", facts(connector=connector(account_expires=NOW + timedelta(3))), WARN, "2026-11-27"),
    ("connector-expiry", facts(connector=UNREAD), CANNOT_TELL, UNREAD.why),
    ("connector-flags", facts(), PASS, "none of them"),
    ("connector-flags", facts(connector=connector(control=0x80200)), FAIL, "delegation to every service"),
    ("connector-flags", facts(connector=connector(control=0x400200)), FAIL, "pre-authentication"),
    ("connector-flags", facts(connector=connector(delegates_to=("cifs/fs1",))), FAIL, "cifs/fs1"),
    ("connector-flags", facts(connector=connector(control=None)), CANNOT_TELL, "may not be read"),
    ("connector-flags", facts(connector=UNREAD), CANNOT_TELL, UNREAD.why),
    ("connector-privilege", facts(), PASS, "3 groups"),
    ("connector-privilege", facts(connector=connector(groups=frozenset({"S-1-5-32-544"}))), FAIL, "Administrators"),
    (
        "connector-privilege",
        facts(connector=connector(groups=frozenset({"S-1-5-21-9-9-9-512"}))),
        FAIL,
        "Domain Admins",
    ),
    ("connector-privilege", facts(connector=connector(protected=True)), WARN, "adminCount"),
    ("connector-privilege", facts(connector=connector(groups=frozenset())), CANNOT_TELL, "does not say"),
    ("dc-load", facts(), PASS, "all 1 know key trust"),
    ("dc-load", site(1, 4, enrolled=70), WARN, "76%"),
    ("dc-load", site(1, 4, enrolled=30), PASS, "44%"),
    ("dc-load", site(2, 1, complete=False), PASS, "at most 50%"),
    ("dc-load", site(1, 1, complete=False), CANNOT_TELL, "were not counted"),
    ("dc-load", site(0, 2), FAIL, "none of its domain controllers"),
    ("dc-load", replace(site(1, 1), users=UNREAD), CANNOT_TELL, UNREAD.why),
    ("dc-load", facts(dead(listing=listing(level=None))), CANNOT_TELL, "not known"),
    ("dc-builds", version("10.0 (20348)"), PASS, "build 20348"),
    ("dc-builds", facts(controller(root=SAMBA)), PASS, "Samba"),
    ("dc-builds", version("10.0 (17763.1500)"), FAIL, "17763.1457 to 17763.1613"),
    ("dc-builds", version("10.0 (14393.4049)"), PASS, "14393.4049"),
    ("dc-builds", version("10.0 (17763)"), CANNOT_TELL, "does not tell its revision"),
    ("dc-builds", version(""), CANNOT_TELL, "not told"),
]
