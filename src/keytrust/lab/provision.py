"""Making a domain in an unpacked tree: certificates, database, groups, accounts, keytab."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from keytrust.lab import certificates, database, ldif, texts
from keytrust.lab import tree as inside
from keytrust.lab.spec import LabSpec
from keytrust.lab.users import NORMAL_ACCOUNT

KEY_ADMINS_RID = 526
ENTERPRISE_KEY_ADMINS_RID = 527
_GLOBAL_SECURITY_GROUP = "-2147483646"
_UNIVERSAL_SECURITY_GROUP = "-2147483640"
_DONT_EXPIRE_PASSWORD = 0x10000
_NEVER = "-9223372036854775808"

# Services that key trust does not need; without them no port is bound on an address shared with other labs.
_SERVICES = "-nbt -wrepl -winbindd -ntp_signd -dnsupdate -s3fs -ft_scanner"
_KEYTAB = "/var/lib/samba/private/connector.keytab"


def provision(spec: LabSpec, report: Callable[[str], None]) -> None:
    """Make the domain of ``spec`` in its tree, and its secrets and configuration files in its root.

    Raises:
        LabError: a step failed; the tree is then only fit to be deleted.
    """
    report(f"making the domain {spec.realm} at functional level 2016")
    spec.secrets.mkdir(mode=0o700, exist_ok=True)
    _write_certificates(spec)
    write(spec.tree / "etc/hosts", texts.controller_hosts(spec))
    write(spec.tree / "etc/hostname", f"{spec.dc_name}\n")
    write(spec.tree / "etc/krb5.conf", texts.controller_krb5(spec))
    domain_sid = "S-1-5-21-" + "-".join(str(1 + secrets.randbelow(2**32 - 1)) for _ in range(3))
    _create_domain(spec, domain_sid)
    # Only now: at creation it would become the DNS forwarder, and the controller would forward to itself.
    write(spec.tree / "etc/resolv.conf", texts.controller_resolv(spec))
    report("making Key Admins and the connector account")
    _create_accounts(spec, domain_sid)
    # The controller would name its own services some time after its start; nobody can bind by GSSAPI before.
    inside.run(spec.tree, ["samba_spnupdate"], doing="naming the controller's services")
    _export_keytab(spec)
    write(spec.krb5_config, texts.client_krb5([spec]))
    write(spec.config, texts.keytrust_toml([spec]))


def _write_certificates(spec: LabSpec) -> None:
    authority, controller = certificates.make(spec.realm, spec.dc_host)
    write_secret(spec.ca_key, authority.key)
    write(spec.ca_cert, authority.certificate.decode())
    write_controller_certificate(spec, controller)


def write_controller_certificate(spec: LabSpec, pair: certificates.Pair) -> None:
    """Put a controller's certificate, its key and the lab's authority into its tree."""
    place = spec.tree / texts.TLS.lstrip("/")
    place.mkdir(mode=0o700)
    write_secret(place / "dc.key", pair.key)
    write(place / "dc.pem", pair.certificate.decode())
    write(place / "ca.pem", spec.ca_cert.read_text(encoding="ascii"))


def options(spec: LabSpec) -> list[str]:
    """What Samba is told at the making of any controller of a lab, in the form of its command line."""
    told = [
        "ad dc functional level = 2016",
        f"interfaces = {spec.address}/8",
        "bind interfaces only = yes",
        "vfs objects = dfs_samba4 acl_xattr xattr_tdb",  # the file system below may have no security attributes
        f"server services = {_SERVICES}",
        "tls enabled = yes",
        f"tls certfile = {texts.TLS}/dc.pem",
        f"tls keyfile = {texts.TLS}/dc.key",
        f"tls cafile = {texts.TLS}/ca.pem",
        # Seconds. With Samba's own intervals a change would be minutes under way from one controller to the next.
        "dreplsrv:periodic_startup_interval = 2",
        "dreplsrv:periodic_interval = 2",
        "dreplsrv:notify_interval = 1",
    ]
    return [f"--option={option}" for option in told]


def _create_domain(spec: LabSpec, domain_sid: str) -> None:
    inside.run(
        spec.tree,
        [
            "samba-tool",
            "domain",
            "provision",
            f"--realm={spec.realm}",
            f"--domain={spec.netbios}",
            f"--domain-sid={domain_sid}",
            "--server-role=dc",
            "--dns-backend=SAMBA_INTERNAL",
            "--function-level=2016",
            "--base-schema=2019",
            f"--host-name={spec.dc_name}",
            f"--host-ip={spec.address}",
            *options(spec),
        ],
        doing=f"making the domain {spec.realm}",
    )


def _create_accounts(spec: LabSpec, domain_sid: str) -> None:
    # Samba makes the ACEs of Key Admins but not the groups; Windows makes both.
    administrator = secrets.token_urlsafe(24)
    users = f"CN=Users,{spec.base_dn}"
    connector = f"CN={spec.connector},{users}"
    records = [
        # Users of a lab have the passwords that a test gives them, for as long as it likes.
        ldif.replace(spec.base_dn, {"pwdProperties": "0", "minPwdLength": "0", "minPwdAge": "0", "maxPwdAge": _NEVER}),
        ldif.replace(
            f"CN=Administrator,{users}",
            {
                "clearTextPassword": ldif.clear_text_password(administrator),
                "userAccountControl": str(NORMAL_ACCOUNT | _DONT_EXPIRE_PASSWORD),
            },
        ),
        ldif.add(spec.people_dn, {"objectClass": "organizationalUnit"}),
        ldif.add(
            connector,
            {
                "objectClass": "user",
                "sAMAccountName": spec.connector,
                "userPrincipalName": f"{spec.connector}@{spec.domain}",
                "description": "Writes key credentials; a plain user in Key Admins",
                "userAccountControl": str(NORMAL_ACCOUNT | _DONT_EXPIRE_PASSWORD),
                "clearTextPassword": ldif.clear_text_password(secrets.token_urlsafe(48)),
            },
        ),
        ldif.add(
            f"CN=Key Admins,{users}",
            {
                "objectClass": "group",
                "sAMAccountName": "Key Admins",
                "groupType": _GLOBAL_SECURITY_GROUP,
                "objectSid": f"{domain_sid}-{KEY_ADMINS_RID}",
                "member": connector,
            },
        ),
        ldif.add(
            f"CN=Enterprise Key Admins,{users}",
            {
                "objectClass": "group",
                "sAMAccountName": "Enterprise Key Admins",
                "groupType": _UNIVERSAL_SECURITY_GROUP,
                "objectSid": f"{domain_sid}-{ENTERPRISE_KEY_ADMINS_RID}",
            },
        ),
    ]
    database.modify(spec.tree, "".join(records), doing="making Key Admins and the connector account", relax=True)
    write_secret(spec.administrator_password, administrator.encode())


def _export_keytab(spec: LabSpec) -> None:
    exported = spec.tree / _KEYTAB.lstrip("/")
    inside.run(
        spec.tree,
        ["samba-tool", "domain", "exportkeytab", _KEYTAB, f"--principal={spec.connector}"],
        doing="exporting the connector's keytab",
    )
    write_secret(spec.connector_keytab, exported.read_bytes())
    exported.unlink()


def write(path: Path, text: str) -> None:
    """Write a file that everybody may read."""
    path.unlink(missing_ok=True)  # the tree may have a symbolic link there that leads out of it
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only root may read."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
