"""The configuration files of a lab, as text."""

from __future__ import annotations

import json

from keytrust.lab.spec import REGISTRY_ISSUER, REGISTRY_PORT, LabSpec

TLS = "/etc/keytrust"
"""Where the controller's certificate, key and authority lie inside its tree."""


def client_krb5(spec: LabSpec) -> str:
    """Kerberos client configuration that never asks DNS and knows the lab's authority for PKINIT."""
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
        kdc = {spec.address}
        kpasswd_server = {spec.address}
        pkinit_anchors = FILE:{spec.ca_cert}
        pkinit_kdc_hostname = {spec.dc_host}
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
    return f"127.0.0.1 localhost\n{spec.address} {spec.dc_host} dc1\n"


def keytrust_toml(spec: LabSpec) -> str:
    """Configuration of keytrust itself against this lab."""
    # JSON's string literals are TOML's basic strings (TOML 1.0, "String"): both escape quotes and backslashes alike.
    quote = json.dumps
    return f"""\
# The lab {spec.name}: {spec.realm} at {spec.address}. Written by `keytrust lab up`.
[directory]
servers = [{quote(spec.dc_host)}]
security = "gssapi"
auth = "keytab"
principal = {quote(spec.connector_principal)}
keytab = {quote(str(spec.connector_keytab))}
krb5_config = {quote(str(spec.krb5_config))}
ca_file = {quote(str(spec.ca_cert))}

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
"""


def _domain_realm(spec: LabSpec) -> str:
    return f"""\
[domain_realm]
    .{spec.domain} = {spec.realm}
    {spec.domain} = {spec.realm}
"""
