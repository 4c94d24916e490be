"""A first configuration: what can be found out of it, and its text."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keytrust.cloud.settings import CloudKind
from keytrust.directory import srv
from keytrust.errors import DirectoryError

_KRB5 = Path("/etc/krb5.conf")
_DEFAULT_REALM = re.compile(r"^\s*default_realm\s*=\s*(\S+)", re.MULTILINE)
ACCOUNT = "svc-keytrust"
MOST_SERVERS = 3
"""Domain controllers to name; the others are known from the directory."""
_SECONDS = 5.0

Tables = dict[str, dict[str, object]]


@dataclass(slots=True)
class Answers:
    """What a configuration needs to be told; the rest has defaults.

    Attributes:
        domain: The domain's DNS name.
        servers: Domain controllers.
        principal: The connector account.
        keytab: Its keytab.
        password_file: Or the file that holds its password.
        krb5_config: A Kerberos configuration other than the machine's.
        ca_file: The authority of the domain controllers' certificates.
        kind: Where keys are registered.
        cloud: The other fields of ``[cloud]``, those that are given.
        store: URL of the store.
    """

    domain: str
    servers: tuple[str, ...]
    principal: str
    keytab: Path | None
    password_file: Path | None
    krb5_config: Path | None
    ca_file: Path | None
    kind: CloudKind
    cloud: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None


def guessed_domain(krb5_config: Path | None) -> str:
    """The domain that this machine seems to belong to; empty when nothing tells."""
    try:
        realm = _DEFAULT_REALM.search((krb5_config or _KRB5).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        realm = None
    if realm is not None and "." in realm[1]:
        return realm[1].lower()
    _, _, rest = socket.getfqdn().partition(".")
    return rest.lower() if "." in rest else ""


def domain_of(server: str) -> str:
    """The domain of a domain controller of this name; empty when it has no domain. Signing in finds out if it is so."""
    return server.rstrip(".").partition(".")[2].lower()


def found_servers(domain: str) -> tuple[str, ...]:
    """The first domain controllers that DNS names; empty when it names none."""
    try:
        return tuple(srv.controllers(domain, timeout=_SECONDS)[:MOST_SERVERS])
    except DirectoryError:
        return ()


def text_of(answers: Answers) -> str:
    """The configuration as TOML."""
    directory: dict[str, object] = {"domain": answers.domain, "servers": answers.servers}
    directory["principal"] = answers.principal
    if answers.keytab is not None:
        directory["keytab"] = answers.keytab
    elif answers.password_file is not None:
        directory |= {"auth": "password", "password_file": answers.password_file}
    directory |= {"krb5_config": answers.krb5_config, "ca_file": answers.ca_file}
    tables: Tables = {
        "directory": directory,
        "cloud": {"kind": answers.kind.value, **answers.cloud},
        "store": {"url": answers.store},
        "signin": {"kdc_ca_file": answers.ca_file},
    }
    lines = ["# Written by keytrust init. Every field is explained in docs/configure.md.\n"]
    for name, fields in tables.items():
        given = {key: value for key, value in fields.items() if value not in (None, ())}
        if given:
            lines += [f"[{name}]\n", *(f"{key} = {_literal(value)}\n" for key, value in given.items()), "\n"]
    return "".join(lines).rstrip() + "\n"


def _literal(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    # A basic string of TOML is one of JSON but for DEL, which TOML wants escaped.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
