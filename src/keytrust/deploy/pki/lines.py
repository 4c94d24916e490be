"""What a domain controller's configuration needs to say of its certificate, as files that it includes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Installed:
    """Where a controller's files lie on the controller."""

    folder: PurePosixPath
    certificate: str
    key: str
    authority: str

    @property
    def identity(self) -> str:
        """As PKINIT's settings name certificate and key."""
        return f"FILE:{self.folder / self.certificate},{self.folder / self.key}"

    @property
    def anchors(self) -> str:
        """As they name the authority."""
        return f"FILE:{self.folder / self.authority}"


def samba(files: Installed, host: str) -> str:
    """The lines of smb.conf: TLS of LDAP."""
    return f"""\
# The certificate of {host}. Written by keytrust setup pki kdc, which writes it anew when it renews the certificate.
# In the section [global] of smb.conf:
#     include = {files.folder / "smb.conf"}
tls enabled = yes
tls certfile = {files.folder / files.certificate}
tls keyfile = {files.folder / files.key}
tls cafile = {files.folder / files.authority}
"""


def heimdal(files: Installed, host: str) -> str:
    """The lines of krb5.conf for Heimdal's KDC, which Samba's own is.

    ``pkinit_dh_min_bits`` is left alone: with it set, Samba 4.24's KDC refused clients.
    """
    return f"""\
# PKINIT of {host}. Written by keytrust setup pki kdc, which writes it anew when it renews the certificate.
# In the controller's krb5.conf, on a line of its own:
#     include {files.folder / "krb5-kdc.conf"}
[kdc]
    enable-pkinit = yes
    pkinit_identity = {files.identity}
    pkinit_anchors = {files.anchors}
    pkinit_principal_in_certificate = yes
"""


def mit(files: Installed, host: str, realm: str) -> str:
    """The lines of kdc.conf for MIT Kerberos' KDC."""
    return f"""\
# PKINIT of {host}. Written by keytrust setup pki kdc, which writes it anew when it renews the certificate.
# For a KDC of MIT Kerberos only, in kdc.conf, on a line of its own:
#     include {files.folder / "mit-kdc.conf"}
[realms]
    {realm} = {{
        pkinit_identity = {files.identity}
        pkinit_anchors = {files.anchors}
    }}
"""
