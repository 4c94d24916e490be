"""What a domain can have wrong with it, and what the doctor has to say of it then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.support import breaking, faults
from tests.support.site import Site

from keytrust.deploy.checks import Verdict

WARN, FAIL = Verdict.WARN, Verdict.FAIL


@dataclass(frozen=True)
class Breakage:
    """One thing that is wrong.

    Attributes:
        name: What, in words.
        during: Has it wrong, and afterwards right again.
        found: For each check that has to see it: the verdict, and words that its evidence has to have.
        seconds: For one answer; long, so that a busy machine is not taken for a fault, but where silence is the fault.
    """

    name: str
    during: Callable[[Site], AbstractContextManager[None]]
    found: Mapping[str, tuple[Verdict, str]]
    seconds: int = 15


BREAKAGES = (
    Breakage(
        "functional levels and a schema of 2003 and 2012",
        faults.old_levels,
        {
            "domain-level": (FAIL, "2 (2003)"),
            "forest-level": (FAIL, "2 (2003)"),
            "schema-version": (FAIL, "version 69 (2012 R2)"),
        },
    ),
    Breakage(
        "the domain controller is down",
        faults.stopped,
        {
            "dc-answers": (FAIL, "no answer on port 389"),
            "kdc-answers": (FAIL, "refused"),
            "connector-reach": (FAIL, "port 88 (Kerberos): Connection refused; port 389 (LDAP): Connection refused"),
        },
    ),
    Breakage(
        "its KDC does not answer, and all else does",
        lambda site: breaking.kdc_silent(site.lab),
        {"kdc-answers": (FAIL, "no answer")},
        seconds=3,
    ),
    Breakage(
        "its clock is ten minutes ahead",
        lambda site: breaking.clock_off(site.lab, 600),
        {"clock": (FAIL, "ahead of this machine")},
    ),
    Breakage(
        "its clock is two minutes behind",
        lambda site: breaking.clock_off(site.lab, -120),
        {"clock": (WARN, "behind this machine")},
    ),
    Breakage(
        "the KDC's certificate has expired, and the revocation list it names is gone",
        lambda site: breaking.certificate(site.lab, breaking.expired(site.lab)),
        {
            "dc-certificate-validity": (FAIL, "expired on"),
            "dc-certificate-trust": (FAIL, "expired"),
            "dc-certificate-revocation": (FAIL, "refused"),
        },
    ),
    Breakage(
        "a certificate that is not for a domain controller",
        lambda site: breaking.certificate(site.lab, breaking.unfit(site.lab)),
        {
            "dc-certificate-purposes": (FAIL, "lacks KDC authentication and server authentication"),
            "dc-certificate-name": (FAIL, "is for old."),
            "dc-certificate-key": (FAIL, "RSA 1024 is shorter than 2048 bits"),
            "dc-certificate-usage": (FAIL, "lacks key encipherment"),
            "dc-certificate-trust": (FAIL, "refused with"),
        },
    ),
    Breakage(
        "no TLS that anybody speaks",
        lambda site: breaking.edited(
            site.lab,
            "/etc/samba/smb.conf",
            "\ttls enabled",
            "\ttls priority = NORMAL:-VERS-ALL:+VERS-DTLS1.2\n\ttls enabled",
        ),
        {"dc-certificate": (FAIL, "636")},
    ),
    Breakage(
        "the KDC does no PKINIT",
        lambda site: breaking.edited(site.lab, "/etc/krb5.conf", "enable-pkinit = yes", "enable-pkinit = no"),
        {"pkinit-offered": (FAIL, "offers PKINIT and cannot do it")},
    ),
    Breakage("the file of registered keys is gone", faults.cloud_gone, {"cloud-answers": (FAIL, "cloud.json")}),
    Breakage(
        "a directory that is not kept in order",
        faults.together(
            faults.stale_record, faults.branch_of_old_ones, faults.half_a_connection_point, faults.empty_group
        ),
        {
            "dns-records": (FAIL, "old."),
            "dc-answers": (FAIL, "old1"),
            "dc-capable": (FAIL, "0 of 2 domain controllers know key trust"),
            "dc-load": (FAIL, "none of its domain controllers"),
            "dc-builds": (FAIL, "17763.1457 to 17763.1613"),
            "device-registration": (FAIL, "one keyword azureADName and one azureADId"),
            "rollout-group": (WARN, "has no members"),
        },
    ),
    Breakage(
        "other users on the other side, and an old PKI",
        faults.together(
            faults.others_on_the_other_side,
            faults.key_without_second_factor,
            faults.ntauth,
            faults.old_templates,
        ),
        {
            "source-anchor": (FAIL, "78787878"),
            "upn-domain": (FAIL, "not a verified domain"),
            "pki-ntauth": (WARN, "is not in NTAuth"),
            "key-second-factor": (WARN, "1 of 1 keys were made without a second factor"),
            "ca-on-dc": (WARN, "runs on the domain controller dc1."),
            "pki-superseded": (WARN, "still issues DomainController"),
        },
    ),
    Breakage(
        "a group policy that asks for certificates",
        faults.certificate_trust,
        {"policy": (FAIL, "wants certificates of computers")},
    ),
    Breakage(
        "the connector account is not in the group",
        lambda site: faults.with_a_user(site, faults.membership(site, "Key Admins", there=False)),
        {"connector-rights": (FAIL, "may not write msDS-KeyCredentialLink of CN=u-doctor")},
    ),
    Breakage(
        "the group's entry on the domain is missing",
        lambda site: faults.with_a_user(site, faults.domain_head(site, faults.without_key_admins)),
        {"connector-rights": (FAIL, "may not write msDS-KeyCredentialLink of CN=u-doctor")},
    ),
    Breakage(
        "an account without inheritance",
        faults.nothing_inherited,
        {"connector-rights": (FAIL, "may not write msDS-KeyCredentialLink of CN=loner")},
    ),
    Breakage(
        "a connector account that nobody looks after, and too much for Enterprise Key Admins",
        faults.together(
            lambda site: faults.membership(site, "Domain Admins", there=True),
            lambda site: faults.domain_head(site, faults.full_control),
            faults.about_to_end,
        ),
        {
            "connector-privilege": (FAIL, "Domain Admins"),
            "connector-flags": (FAIL, "delegation"),
            "connector-password": (WARN, "expires on"),
            "connector-expiry": (WARN, "expires on"),
            "enterprise-key-admins": (FAIL, "full control of the domain"),
        },
    ),
)
"""What can be done to a lab."""

RECORDED_ONLY = {
    "schema-attribute": "a domain controller whose schema lacks the attribute cannot be made: Samba brings it along",
    "cloud-permissions": "a tenant that refuses a permission: a matter of Microsoft Graph",
    "dc-autoenrolment": "only Windows domain controllers enrol, and a lab's are Samba",
    "dc-certificate-template": "only Windows looks at templates, and a lab's domain controllers are Samba",
}
"""Checks that are seen to fail on recorded answers alone (``tests/support/check_cases.py``), and why."""
