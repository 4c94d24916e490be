"""What a lab is called and where its parts lie. Everything here is derived; nothing touches the disk."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from keytrust.errors import LabError

ROOT_VARIABLE = "KEYTRUST_LAB_ROOT"
"""Environment variable that moves the labs; each lab is a directory of its own name in it."""

DEFAULT_BASE = Path("/var/lib/keytrust/lab")
REGISTRY_PORT = 8920
"""Where the lab's key registration service listens, on the lab's own address."""

REGISTRY_ISSUER = "urn:keytrust:lab"
"""Who issues the tokens that the lab's registry accepts."""

MOST_CONTROLLERS = 4
"""Domain controllers that one lab may have."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_NETBIOS = re.compile(r"[A-Z0-9][A-Z0-9-]{0,14}")
_REALM_LABEL = re.compile(r"[A-Z0-9]([A-Z0-9-]{0,61}[A-Z0-9])?")


def default_root(name: str) -> Path:
    """The directory of the lab called ``name``."""
    return Path(os.environ.get(ROOT_VARIABLE) or DEFAULT_BASE) / name


@dataclass(frozen=True)
class LabSpec:
    """One lab: a forest of one domain. Labs that differ in all fields run side by side.

    A spec is about the lab and one of its domain controllers, the first unless ``dc`` gave it.

    Attributes:
        name: Short name, also of the directory and of the entry in the hosts file.
        realm: Kerberos realm, upper case; in lower case it is the DNS name of the domain.
        netbios: NetBIOS name of the domain, at most 15 characters.
        address: The loopback address that the domain controller binds, 127.0.0.0/8. No two running labs share one.
        root: Directory that holds everything of this lab; left out, it is ``default_root(name)``.
        number: Which of the lab's domain controllers this is about, from 1.

    Raises:
        LabError: a field is not usable.
    """

    name: str = "corp"
    realm: str = "CORP.EXAMPLE"
    netbios: str = "CORP"
    address: str = "127.10.0.1"
    root: Path = Path()
    number: int = 1

    def __post_init__(self) -> None:
        labels = self.realm.split(".")
        if not _NAME.fullmatch(self.name):
            raise _unusable("name", self.name, "lower-case letters, digits and hyphens, such as corp")
        if len(labels) < 2 or len(self.realm) > 200 or not all(_REALM_LABEL.fullmatch(label) for label in labels):
            raise _unusable("realm", self.realm, "an upper-case DNS name of two labels or more, such as CORP.EXAMPLE")
        if not _NETBIOS.fullmatch(self.netbios):
            raise _unusable("NetBIOS name", self.netbios, "at most 15 upper-case letters and digits, such as CORP")
        if not _is_loopback(self.address):
            raise _unusable("address", self.address, "an IPv4 address in 127.0.0.0/8, such as 127.10.0.1")
        root = default_root(self.name) if self.root == Path() else self.root
        object.__setattr__(self, "root", root.resolve())

    @property
    def domain(self) -> str:
        """DNS name of the domain, also the users' UPN suffix."""
        return self.realm.lower()

    @property
    def dc_host(self) -> str:
        """Fully qualified host name of the domain controller."""
        return f"{self.dc_name}.{self.domain}"

    @property
    def dc_name(self) -> str:
        """Its first label."""
        return f"dc{self.number}"

    @property
    def base_dn(self) -> str:
        """Distinguished name of the domain head."""
        return ",".join(f"DC={label}" for label in self.domain.split("."))

    @property
    def people_dn(self) -> str:
        """Where users are made unless they say otherwise."""
        return f"OU=People,{self.base_dn}"

    @property
    def ldap_url(self) -> str:
        """By name, because GSSAPI and certificate checks need the name."""
        return f"ldap://{self.dc_host}"

    @property
    def ldaps_url(self) -> str:
        """LDAP over TLS, by name."""
        return f"ldaps://{self.dc_host}"

    @property
    def registry_url(self) -> str:
        """Where the lab's key registration service is expected."""
        return f"http://{self.address}:{REGISTRY_PORT}"

    @property
    def connector(self) -> str:
        """sAMAccountName of the connector account, a plain user in Key Admins."""
        return "svc-keytrust"

    @property
    def connector_principal(self) -> str:
        """Kerberos principal of the connector account."""
        return f"{self.connector}@{self.realm}"

    @property
    def tree(self) -> Path:
        """Root of the domain controller's own file system."""
        return self.root / f"tree{self._suffix}"

    @property
    def secrets(self) -> Path:
        """Directory for keys and passwords, mode 0700."""
        return self.root / "secrets"

    @property
    def krb5_config(self) -> Path:
        """Kerberos client configuration, for ``KRB5_CONFIG``; of a further controller, one that asks no other KDC."""
        return self.root / ("krb5.conf" if self.number == 1 else f"krb5-{self.dc_name}.conf")

    @property
    def ca_cert(self) -> Path:
        """Certificate of the lab's certification authority, PEM."""
        return self.root / "ca.pem"

    @property
    def ca_key(self) -> Path:
        """Its private key, PEM, mode 0600."""
        return self.secrets / "ca.key"

    @property
    def connector_keytab(self) -> Path:
        """Keytab of the connector account, mode 0600."""
        return self.secrets / f"{self.connector}.keytab"

    @property
    def administrator_password(self) -> Path:
        """File with the password of ``administrator``, mode 0600, no line end."""
        return self.secrets / "administrator.password"

    @property
    def registry_token(self) -> Path:
        """Where the token that reads the registry belongs. The lab does not make it; the registry does."""
        return self.secrets / "registry-reader.token"

    @property
    def registry_issuer(self) -> Path:
        """Directory of the signing key that the lab's registry trusts."""
        return self.secrets / "issuer"

    @property
    def registry_database(self) -> Path:
        """SQLite file of the lab's registry."""
        return self.root / "registry.db"

    @property
    def registry_pid_file(self) -> Path:
        """Process id of the lab's registry."""
        return self.root / "registry.pid"

    @property
    def config(self) -> Path:
        """Ready ``keytrust.toml`` for this lab."""
        return self.root / "keytrust.toml"

    @property
    def database(self) -> Path:
        """SQLite file of the journal that ``config`` names."""
        return self.root / "keytrust.db"

    @property
    def state(self) -> Path:
        """What is known of this domain controller, JSON."""
        return self.root / f"state{self._suffix}.json"

    @property
    def pid_file(self) -> Path:
        """Process id of the domain controller's first process."""
        return self.root / f"dc{self._suffix}.pid"

    @property
    def dc_log(self) -> Path:
        """What the domain controller's first process writes."""
        return self.root / f"dc{self._suffix}.out"

    @property
    def hosts_mark(self) -> str:
        """By what its line in the hosts file is known."""
        return self.name if self.number == 1 else f"{self.name} {self.dc_name}"

    @property
    def _suffix(self) -> str:
        return "" if self.number == 1 else str(self.number)

    def dc(self, number: int) -> LabSpec:
        """The same lab, about another of its domain controllers; its address follows that of the first.

        Raises:
            LabError: a lab has no so many, or there is no such address.
        """
        if not 1 <= number <= MOST_CONTROLLERS:
            raise _unusable("number of domain controllers", str(number), f"1 to {MOST_CONTROLLERS}")
        address = ipaddress.IPv4Address(self.address) + (number - self.number)
        return replace(self, address=str(address), number=number)

    @property
    def second(self) -> LabSpec:
        """The lab that is a second domain beside this one: a forest of its own."""
        first, _, rest = self.realm.partition(".")
        one, two, three, four = self.address.split(".")
        return LabSpec(
            name=f"{self.name[:30]}-b",
            realm=f"{first[:61]}-B.{rest}",
            netbios=f"{self.netbios[:13]}-B",
            address=f"{one}.{(int(two) + 100) % 256}.{three}.{four}",
            root=self.root.with_name(f"{self.root.name}-b"),
        )

    @property
    def lock(self) -> Path:
        """Held while the lab is changed; beside the root, which comes and goes."""
        return self.root.with_name(f".{self.root.name}.lock")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False


def _unusable(field: str, value: str, wanted: str) -> LabError:
    return LabError(
        f"The lab's {field} {value!r} is not usable.",
        not_done="Nothing was built.",
        remedy=f"Use {wanted}.",
    )
