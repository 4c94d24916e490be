"""The few questions of ``keytrust init``, each also an option, each with what was found as its default."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from keytrust.cli.output import err, safe
from keytrust.cloud.settings import CloudKind
from keytrust.deploy.first_config import ACCOUNT, domain_of, found_servers, guessed_domain
from keytrust.errors import ConfigError

CLOUD_OPTIONS = {
    "tenant_id": "--tenant",
    "client_id": "--client-id",
    "client_secret_file": "--client-secret-file",
    "client_certificate_file": "--client-certificate-file",
    "url": "--url",
    "token_file": "--token-file",
    "path": "--path",
}
_ASKED = {
    CloudKind.GRAPH: {"tenant_id": "Tenant (id or domain)", "client_id": "Application (client id)"},
    CloudKind.REGISTRY: {"url": "URL of the registry", "token_file": "File with the access token"},
    CloudKind.FILE: {"path": "Exported file"},
}
_FILES = ("client_secret_file", "client_certificate_file", "token_file", "path")


def question(text: str, option: str, default: str = "", *, what: str = "") -> str:
    """Ask for one thing on a terminal; elsewhere take what was found.

    Raises:
        ConfigError: nothing was found and nobody can be asked.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        if default:
            return default
        raise ConfigError(
            f"{text} is not known, and there is no terminal to ask on.",
            not_done="Nothing was written.",
            remedy=f"Give {option}.{what}",
        )
    shown = f" [dim]\\[{safe(default)}][/]" if default else ""
    while True:
        given = err.input(f"{safe(text)}{shown}: ").strip() or default
        if given:
            return given


def directory_answers(
    domain: str | None,
    servers: Sequence[str],
    principal: str | None,
    keytab: Path | None,
    password_file: Path | None,
    krb5_config: Path | None,
) -> tuple[str, tuple[str, ...], str, Path | None]:
    """Domain, servers, principal and keytab: as given, else found, else asked for."""
    if domain is None:
        named = domain_of(servers[0]) if servers else guessed_domain(krb5_config)
        domain = named if servers and named else question("Domain", "--domain", named)
    chosen = tuple(servers) or found_servers(domain)
    if not chosen:
        hosts = question("A domain controller (DNS names none)", "--server")
        chosen = tuple(host.strip() for host in hosts.split(",") if host.strip())
    realm = domain.upper()
    if principal is None:
        principal = question("Connector account", "--principal", f"{ACCOUNT}@{realm}")
    if "@" not in principal:
        principal = f"{principal}@{realm}"
    if keytab is None and password_file is None:
        usual = f"/etc/keytrust/{principal.partition('@')[0]}.keytab"
        keytab = Path(question("Its keytab", "--keytab", usual)).expanduser()
    _need_file(keytab or password_file, "samba-tool domain exportkeytab, ktpass or ktutil makes a keytab.")
    return domain, chosen, principal, keytab


def cloud_answers(kind: CloudKind | None, given: dict[str, str | None]) -> tuple[CloudKind, dict[str, str]]:
    """The place where keys are registered: as given, else asked for."""
    if kind is None:
        kind = _kind_of(given) or _kind(question("Where keys are registered: graph, registry or file", "--kind"))
    answers = {name: value for name, value in given.items() if value is not None}
    for name, text in _ASKED[kind].items():
        if name not in answers:
            answers[name] = question(text, CLOUD_OPTIONS[name])
    if kind is CloudKind.GRAPH and not {"client_secret_file", "client_certificate_file"} & answers.keys():
        what = " Or --client-secret-file."
        answers["client_certificate_file"] = question(
            "The application's certificate and key (PEM file)", "--client-certificate-file", what=what
        )
    for name in _FILES:
        if name in answers:
            answers[name] = str(Path(answers[name]).expanduser().absolute())
            _need_file(Path(answers[name]), "")
    return kind, answers


def _kind_of(given: dict[str, str | None]) -> CloudKind | None:
    """The kind that the given options speak of."""
    for kind, names in ((CloudKind.FILE, ("path",)), (CloudKind.REGISTRY, ("token_file",))):
        if any(given.get(name) for name in names):
            return kind
    return CloudKind.GRAPH if given.get("client_id") else None


def _kind(text: str) -> CloudKind:
    try:
        return CloudKind(text.lower())
    except ValueError:
        raise ConfigError(
            f"{text} is no place where keys are registered.",
            not_done="Nothing was written.",
            remedy="Say graph, registry or file.",
        ) from None


def _need_file(path: Path | None, remedy: str) -> None:
    if path is None:
        return
    try:
        with path.open("rb"):
            return
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", not_done="Nothing was written.", remedy=remedy
        ) from error
