"""What administrators, or nobody, did to a domain: each in a lab for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding
from tests.support import group_policy, ldb, recorded
from tests.support.site import Site

from keytrust.credential import Dialect, KeyCredentialLink, build, rsa1_from_key
from keytrust.deploy.reading.accounts import DRS
from keytrust.lab import LabUser

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_KEY_ADMINS_ENTRY = "(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;"
_NOTHING_INHERITED = "O:DAG:DAD:PAI(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;SY)(A;;RPLCLORC;;;AU)"


def _connector(site: Site) -> str:
    return f"CN={site.lab.spec.connector},CN=Users,{site.lab.spec.base_dn}"


def _configuration(site: Site) -> str:
    return f"CN=Configuration,{site.lab.spec.base_dn}"


def together(*faults: Callable[[Site], AbstractContextManager[None]]) -> Callable[[Site], AbstractContextManager[None]]:
    """Several at once, where none of them hides another."""

    @contextmanager
    def at_once(site: Site) -> Iterator[None]:
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault(site))
            yield

    return at_once


@contextmanager
def _restarted(site: Site) -> Iterator[None]:
    """What a domain controller reads at its start only."""
    site.lab.stop_dc()
    site.lab.start_dc()
    yield


@contextmanager
def old_levels(site: Site) -> Iterator[None]:
    base, lab = site.lab.spec.base_dn, site.lab
    with (
        ldb.attributes(lab, base, msDS_Behavior_Version="2"),
        ldb.attributes(lab, f"CN=Partitions,{_configuration(site)}", msDS_Behavior_Version="2"),
        ldb.attributes(lab, f"CN=Schema,{_configuration(site)}", objectVersion="69"),
        _restarted(site),
    ):
        yield
    with _restarted(site):
        pass


@contextmanager
def stopped(site: Site) -> Iterator[None]:
    site.lab.stop_dc()
    try:
        yield
    finally:
        site.lab.start_dc()


@contextmanager
def stale_record(site: Site) -> Iterator[None]:
    """DNS names a domain controller that there is not, in place of the one that there is."""
    spec = site.lab.spec
    name = f"DC=_ldap._tcp.dc,DC=_msdcs.{spec.domain},CN=MicrosoftDNS,DC=ForestDnsZones,{spec.base_dn}"
    records = [each.replace(b"\x03dc1", b"\x03old") for each in ldb.values(site.lab, name, "dnsRecord")]
    with ldb.attributes(site.lab, name, dnsRecord=records):
        yield


@contextmanager
def branch_of_old_ones(site: Site) -> Iterator[None]:
    """A site whose only domain controllers are gone, too old, or delete keys."""
    branch, domain = f"CN=Branch,CN=Sites,{_configuration(site)}", site.lab.spec.base_dn
    made: dict[str, dict[str, str | bytes | list[str | bytes]]] = {
        branch: {"objectClass": "site"},
        f"CN=Servers,{branch}": {"objectClass": "serversContainer"},
    }
    for name, version, level in (("OLD1", "6.3 (9600)", "6"), ("OLD2", "10.0 (17763.1500)", "6")):
        computer, server = f"CN={name},OU=Domain Controllers,{domain}", f"CN={name},CN=Servers,{branch}"
        host = f"{name.lower()}.{site.lab.spec.domain}"
        made[computer] = {
            "objectClass": "computer",
            "sAMAccountName": f"{name}$",
            "userAccountControl": str(0x2000 | 0x80000),
            "operatingSystem": "Windows Server",
            "operatingSystemVersion": version,
            "dNSHostName": host,
        }
        made[server] = {"objectClass": "server", "dNSHostName": host, "serverReference": computer}
        made[f"CN=NTDS Settings,{server}"] = {
            "objectClass": ["applicationSettings", "nTDSDSA"],
            "invocationId": uuid4().bytes_le,
            "msDS-Behavior-Version": level,
            "options": "1",
            "systemFlags": str(0x02000000),
            "msDS-hasMasterNCs": domain,
            "hasMasterNCs": domain,
        }
    with ldb.objects(site.lab, made):
        yield


@contextmanager
def cloud_gone(site: Site) -> Iterator[None]:
    site.cloud.unlink()
    yield


@contextmanager
def others_on_the_other_side(site: Site) -> Iterator[None]:
    """The cloud has one user under another source anchor, and another by the name that the tenant gave it."""
    users = [LabUser("u-anchor"), LabUser("u-name")]
    site.lab.add_users(users)
    try:
        for user, other in (
            ("u-anchor", {"onPremisesImmutableId": "eHh4eHh4eHh4eHh4eHh4eA=="}),
            ("u-name", {"userPrincipalName": "u-name@tenant.onmicrosoft.com"}),
        ):
            site.users[user] = site.cloud_user(site.account(user)) | other
        site.save()
        yield
    finally:
        site.lab.delete_users(users)


@contextmanager
def nothing_inherited(site: Site) -> Iterator[None]:
    """An account on which somebody disabled inheritance."""
    users = [LabUser("loner"), LabUser("u-doctor")]
    site.lab.add_users(users)
    try:
        dn = users[0].dn(site.lab.spec.base_dn)
        with ldb.attributes(site.lab, dn, nTSecurityDescriptor=_NOTHING_INHERITED):
            yield
    finally:
        site.lab.delete_users(users)


@contextmanager
def with_a_user(site: Site, broken: AbstractContextManager[None]) -> Iterator[None]:
    users = [LabUser("u-doctor")]
    site.lab.add_users(users)
    try:
        with broken:
            yield
    finally:
        site.lab.delete_users(users)


@contextmanager
def membership(site: Site, group: str, *, there: bool) -> Iterator[None]:
    dn = f"CN={group},CN=Users,{site.lab.spec.base_dn}"
    text = "dn: {}\nchangetype: modify\n{}: member\nmember: {}\n"
    first, then = ("add", "delete") if there else ("delete", "add")
    site.lab.apply_ldif(text.format(dn, first, _connector(site)))
    try:
        yield
    finally:
        site.lab.apply_ldif(text.format(dn, then, _connector(site)))


@contextmanager
def domain_head(site: Site, change: Callable[[str, str], str]) -> Iterator[None]:
    """With other permissions on the domain: a function of its SDDL and its SID."""
    base, lab = site.lab.spec.base_dn, site.lab
    [sddl] = ldb.values(lab, base, "nTSecurityDescriptor")
    domain = site.account(lab.spec.connector).sid.rpartition("-")[0]
    with ldb.attributes(lab, base, nTSecurityDescriptor=change(sddl.decode(), domain)):
        yield


def without_key_admins(sddl: str, domain: str) -> str:
    for sid in ("KA", f"{domain}-526"):
        sddl = sddl.replace(f"{_KEY_ADMINS_ENTRY}{sid})", "")
    return sddl


def full_control(sddl: str, domain: str) -> str:
    return sddl.replace("(", f"(A;CI;RPWPCRCCDCLCLORCWOWDSDDTSW;;;{domain}-527)(", 1)


@contextmanager
def key_without_second_factor(site: Site) -> Iterator[None]:
    """A user whose key says that none was used."""
    users = [LabUser("u-factor")]
    site.lab.add_users(users)
    try:
        dn = users[0].dn(site.lab.spec.base_dn)
        material = rsa1_from_key(generate_private_key(65537, 2048).public_key())
        now = datetime.now(UTC)
        key = build(material, device_id=uuid4(), created=now, dialect=Dialect.PORTABLE, custom_key_information=b"\1\2")
        with ldb.attributes(site.lab, dn, msDS_KeyCredentialLink=[str(KeyCredentialLink.of(key, dn)).encode()]):
            yield
    finally:
        site.lab.delete_users(users)


@contextmanager
def certificate_trust(site: Site) -> Iterator[None]:
    """A group policy by which devices ask for certificates and may keep keys in software."""
    lab = site.lab
    with (
        group_policy.file_server(lab),
        group_policy.policy(lab, "Hello", lab.spec.people_dn, Enabled=1, UseCertificateForOnPremAuth=1),
    ):
        yield


def ntauth(site: Site) -> AbstractContextManager[None]:
    dn = f"CN=NTAuthCertificates,CN=Public Key Services,CN=Services,{_configuration(site)}"
    other = recorded.authority("Another CA").public_bytes(Encoding.DER)
    entry = {"objectClass": "certificationAuthority", "cACertificate": other}
    return ldb.objects(site.lab, {dn: entry | {"authorityRevocationList": b"\0", "certificateRevocationList": b"\0"}})


def old_templates(site: Site) -> AbstractContextManager[None]:
    """By an authority on the domain controller itself."""
    dn = f"CN=Old CA,CN=Enrollment Services,CN=Public Key Services,CN=Services,{_configuration(site)}"
    host = site.lab.spec.dc_host
    entry = {"objectClass": "pKIEnrollmentService", "certificateTemplates": "DomainController", "dNSHostName": host}
    return ldb.objects(site.lab, {dn: entry})


def half_a_connection_point(site: Site) -> AbstractContextManager[None]:
    dn = f"{DRS},{_configuration(site)}"
    folder = dn.partition(",")[2]
    return ldb.objects(
        site.lab,
        {
            folder: {"objectClass": "container"},
            dn: {"objectClass": "serviceConnectionPoint", "keywords": "azureADName:corp.example"},
        },
    )


def empty_group(site: Site) -> AbstractContextManager[None]:
    dn = f"CN=Windows Hello for Business Users,CN=Users,{site.lab.spec.base_dn}"
    return ldb.objects(site.lab, {dn: {"objectClass": "group", "sAMAccountName": "WHfB Users"}})


@contextmanager
def about_to_end(site: Site) -> Iterator[None]:
    """The account in three days, and its password by a policy of five days; and it is trusted for delegation."""
    ends = str((datetime.now(UTC) + timedelta(days=3) - _EPOCH) // timedelta(microseconds=1) * 10)
    five_days = str(-5 * 86_400 * 10_000_000)
    with (
        ldb.attributes(site.lab, site.lab.spec.base_dn, maxPwdAge=five_days),
        ldb.attributes(site.lab, _connector(site), accountExpires=ends, userAccountControl=str(0x200 | 0x80000)),
    ):
        yield
