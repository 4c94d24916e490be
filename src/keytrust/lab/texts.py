"""The configuration files of a lab, as text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from keytrust.lab.spec import REGISTRY_ISSUER, REGISTRY_PORT, LabSpec

TLS = "/etc/keytrust"
"""Where the controller's certificate, key and authority lie inside its tree."""


def client_krb5(controllers: Sequence[LabSpec]) -> str:
    """Kerberos client configuration that never asks DNS and knows the lab's authority for PKINIT."""
    spec = controllers[0]
    kdcs = "\n".join(f"        kdc = {each.address}" for each in controllers)
    names = "\n".join(f"        pkinit_kdc_hostname = {each.dc_host}" for each in controllers)
    return f"""\
[libdefaults]
    default_realm = {spec.realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    rdns = false
    # Requests with a certificate do not fit a datagram; asking by TCP at once saves a refusal.
    udp_preference_limit = 1

[realms]
    {spec.realm} = {{
{kdcs}
        kpasswd_server = {spec.address}
        pkinit_anchors = FILE:{spec.ca_cert}
{names}
        pkinit_eku_checking = kpServerAuth
    }}

{_domain_realm(spec)}"""


def controller_krb5(spec: LabSpec) -> str:
    """Kerberos configuration inside the tree: where the KDC finds itself and what it does PKINIT with.

    ``pkinit_dh_min_bits`` is left alone: with it set, Samba 4.24's KDC refused clients.
    """
    return f"""\
[libdefaults]
    default_realm = {spec.realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    rdns = false

[realms]
    {spec.realm} = {{
        kdc = {spec.address}
        default_domain = {spec.domain}
    }}

{_domain_realm(spec)}
[kdc]
    enable-pkinit = yes
    pkinit_identity = FILE:{TLS}/dc.pem,{TLS}/dc.key
    pkinit_anchors = FILE:{TLS}/ca.pem
    pkinit_principal_in_certificate = yes
"""


def controller_hosts(spec: LabSpec) -> str:
    """The hosts file inside the tree."""
    return f"127.0.0.1 localhost\n{spec.address} {spec.dc_host} {spec.dc_name}\n"


def controller_resolv(spec: LabSpec) -> str:
    """The resolver's configuration inside the tree: the first domain controller answers for the domain."""
    return f"search {spec.domain}\nnameserver {spec.dc(1).address}\n"


def keytrust_toml(controllers: Sequence[LabSpec], second: LabSpec | None = None) -> str:
    """Configuration of keytrust itself against a lab, and the lab that is its second domain."""
    spec = controllers[0]
    # JSON's string literals are TOML's basic strings (TOML 1.0, "String"): both escape quotes and backslashes alike.
    quote = json.dumps
    servers = quote([each.dc_host for each in controllers])
    return f"""\
# The lab {spec.name}: {spec.realm} at {spec.address}. Written by `keytrust lab up`.
[directory]
{_directory(spec, servers)}
[cloud]
kind = "registry"
url = {quote(spec.registry_url)}
token_file = {quote(str(spec.registry_token))}

[store]
url = {quote(f"sqlite:///{spec.database}")}

[signin]
kdc_ca_file = {quote(str(spec.ca_cert))}

[registry]
database_url = {quote(f"sqlite:///{spec.registry_database}")}
host = {quote(spec.address)}
port = {REGISTRY_PORT}
tenant_name = {quote(spec.domain)}

[[registry.issuers]]
issuer = {quote(REGISTRY_ISSUER)}
jwks_file = {quote(str(spec.registry_issuer / "jwks.json"))}
{_second(second)}"""


def _second(spec: LabSpec | None) -> str:
    if spec is None:
        return ""
    return f"\n[domains.{spec.name}]\n{_directory(spec, json.dumps([spec.dc_host]))}"


def _directory(spec: LabSpec, servers: str) -> str:
    quote = json.dumps
    return f"""\
domain = {quote(spec.domain)}
servers = {servers}
security = "gssapi"
auth = "keytab"
principal = {quote(spec.connector_principal)}
keytab = {quote(str(spec.connector_keytab))}
krb5_config = {quote(str(spec.krb5_config))}
ca_file = {quote(str(spec.ca_cert))}
"""


def _domain_realm(spec: LabSpec) -> str:
    return f"""\
[domain_realm]
    .{spec.domain} = {spec.realm}
    {spec.domain} = {spec.realm}
"""
