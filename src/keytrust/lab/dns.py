"""DNS records of a further domain controller, entered by hand: Samba's own updates leave loopback addresses out."""

from __future__ import annotations

import json

from keytrust.errors import LabError
from keytrust.lab import tree as inside
from keytrust.lab.spec import LabSpec

_SITE = "Default-First-Site-Name"
_SAM = "/var/lib/samba/private/sam.ldb"

# Runs in the first controller's tree, where Samba's own bindings are. [MS-DNSP] 3.1.4.5, R_DnssrvUpdateRecord2.
_ENTER = """
import json, sys
from samba import WERRORError
from samba.credentials import DONT_USE_KERBEROS, Credentials
from samba.dcerpc import dnsp, dnsserver
from samba.dnsserver import record_from_string
from samba.param import LoadParm

asked = json.load(sys.stdin)
settings = LoadParm()
settings.load_default()
who = Credentials()
who.guess(settings)
who.set_username("administrator")
who.set_password(asked["password"])
who.set_kerberos_state(DONT_USE_KERBEROS)
server = dnsserver.dnsserver("ncacn_ip_tcp:%s[sign]" % asked["server"], settings, who)
for zone, name, kind, data in asked["records"]:
    record = dnsserver.DNS_RPC_RECORD_BUF()
    record.rec = record_from_string(getattr(dnsp, "DNS_TYPE_" + kind), data)
    try:
        server.DnssrvUpdateRecord2(
            dnsserver.DNS_CLIENT_VERSION_LONGHORN, 0, asked["server"], zone, name, record, None
        )
    except WERRORError as error:
        if error.args[0] != 9711:  # WERR_DNS_ERROR_RECORD_ALREADY_EXISTS
            raise
"""


def records(spec: LabSpec, dsa: str) -> list[tuple[str, str, str, str]]:
    """Zone, name, type and data of what clients and other controllers look for ([MS-ADTS] 6.3.2.3). Pure.

    Args:
        spec: The controller.
        dsa: objectGUID of its NTDS Settings.
    """
    host, domain, below = spec.dc_host, spec.domain, f"_msdcs.{spec.domain}"
    services = [
        (domain, "_ldap._tcp", 389),
        (domain, f"_ldap._tcp.{_SITE}._sites", 389),
        (domain, "_kerberos._tcp", 88),
        (domain, "_kerberos._udp", 88),
        (domain, f"_kerberos._tcp.{_SITE}._sites", 88),
        (domain, "_gc._tcp", 3268),
        (below, "_ldap._tcp.dc", 389),
        (below, f"_ldap._tcp.{_SITE}._sites.dc", 389),
        (below, "_kerberos._tcp.dc", 88),
        (below, f"_kerberos._tcp.{_SITE}._sites.dc", 88),
        (below, "_ldap._tcp.gc", 3268),
    ]
    return [
        (domain, spec.dc_name, "A", spec.address),
        (domain, "@", "A", spec.address),
        (below, dsa, "CNAME", host),
        *((zone, name, "SRV", f"{host} {port} 0 100") for zone, name, port in services),
    ]


def enter(spec: LabSpec) -> None:
    """Enter the records of a further controller into the zones of the first, which must run.

    Raises:
        LabError: they were refused.
    """
    first = spec.dc(1)
    asked = {
        "password": first.administrator_password.read_text(encoding="utf-8"),
        "server": first.address,
        "records": records(spec, _dsa(spec)),
    }
    inside.run(first.tree, ["python3", "-c", _ENTER], doing=f"entering {spec.dc_host} into DNS", text=json.dumps(asked))


def _dsa(spec: LabSpec) -> str:
    settings = f"CN=NTDS Settings,CN={spec.dc_name},CN=Servers,CN={_SITE},CN=Sites,CN=Configuration,{spec.base_dn}"
    doing = f"looking up {spec.dc_host}"
    found = inside.run(
        spec.dc(1).tree, ["ldbsearch", "-H", _SAM, "-s", "base", "-b", settings, "objectGUID"], doing=doing
    )
    for line in found.stdout.splitlines():
        if line.startswith("objectGUID: "):
            return line.removeprefix("objectGUID: ").strip()
    raise LabError(f"{spec.dc(1).dc_host} does not know {spec.dc_host} as a domain controller.", detail=found.stdout)
