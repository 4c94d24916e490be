"""Kerberos tickets for the connector account, obtained by MIT ``kinit`` into a cache of our own.

A program is called because it gives the diagnosis that a library call through SASL hides ("clock skew too great"
instead of "invalid credentials"), and because keytab, password and an existing cache then end in one thing: a cache.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from keytrust.directory.kdc_choice import preferring
from keytrust.directory.settings import Auth, DirectorySettings
from keytrust.errors import ConfigError, DirectoryError
from keytrust.private_folder import private_folder

NOTHING_DONE = "Nothing was read or changed."
_FIRST_TRIES = 3
"""Domain controllers that are asked one by one before all that the configuration knows are asked in its order."""
_TRY = 5.0
"""Seconds for one of these: a KDC answers in a fraction of one, and the library itself would wait for ten."""
_UNANSWERED = "Check that the domain controllers{servers} run and that port 88 is open from here."

_CAUSES: tuple[tuple[str, str, str], ...] = (
    ("Clock skew too great", "this machine's clock and the domain controller's differ by more than Kerberos allows",
     "Synchronise the clocks (at most 5 minutes apart)."),
    ("Preauthentication failed", "the password or key was refused",
     "Export the keytab again after a password change, or correct the password file."),
    ("Password incorrect", "the password was refused", "Correct the password file."),
    ("not found in Kerberos database", "the domain does not know this account",
     "Check the spelling of the principal and its realm (upper case)."),
    ("Client's credentials have been revoked", "the account is disabled, locked out or outside its logon hours",
     "Enable or unlock the connector account."),
    ("Client's entry in database has expired", "the account has expired", "Extend the connector account."),
    ("Password has expired", "the account's password has expired", "Set a new password and export the keytab again."),
    ("Cannot contact any KDC", "no domain controller answers Kerberos requests", _UNANSWERED),
    ("Cannot find KDC", "no domain controller is known for this realm",
     "Check DNS SRV records of the realm, or name the KDC in krb5_config."),
    ("Cannot resolve", "a KDC's name cannot be resolved", "Check DNS."),
    ("no suitable keys", "the keytab holds no key for this principal",
     "Export the keytab for exactly this principal."),
    ("No such file or directory", "a file it needs does not exist", "Check keytab and krb5_config in [directory]."),
    ("Permission denied", "a file it needs may not be read", "Let the service account read keytab and krb5_config."),
    ("KDC has no support for encryption type", "the domain controller refuses the keytab's encryption type",
     "Export the keytab with AES keys."),
)  # fmt: skip


@contextmanager
def ticket_cache(
    settings: DirectorySettings, servers: Sequence[str] = (), silent: Callable[[str], None] = lambda _: None
) -> Iterator[Path]:
    """Yield a ticket cache with a fresh ticket for the connector account; it is removed afterwards.

    With ``auth = "ccache"`` the operator's own cache is yielded instead, checked to hold a ticket that is still valid.

    Args:
        settings: Whom to sign in as.
        servers: Domain controllers to ask, in this order; then those that the Kerberos configuration names.
        silent: Told each of these that does not answer.

    Raises:
        DirectoryError: no ticket was given, with the cause and the remedy.
        ConfigError: a file that is needed cannot be read.
    """
    if settings.auth is Auth.CCACHE:
        yield _own_cache(settings)
        return
    with private_folder("krb5") as private:
        cache = private / "ccache"
        _kinit_somewhere(settings, cache, servers, silent)
        yield cache


@contextmanager
def password_cache(settings: DirectorySettings, principal: str, password: str) -> Iterator[Path]:
    """Yield a ticket cache for an account whose password was typed in; it is removed afterwards.

    Raises:
        DirectoryError: no ticket was given, with the cause and the remedy.
    """
    with private_folder("krb5") as private:
        cache = private / "ccache"
        _run(["kinit", "--", principal], settings, cache, f"No Kerberos ticket for {principal}", password + "\n")
        yield cache


def environment(settings: DirectorySettings, cache: Path | None, server: str | None = None) -> dict[str, str]:
    """The environment variables by which the Kerberos library finds its configuration and the ticket cache.

    Args:
        settings: Which configuration.
        cache: The ticket cache.
        server: The domain controller to get tickets from, before all that the configuration names.
    """
    variables = {"LC_ALL": "C"}
    if settings.krb5_config is not None:
        variables["KRB5_CONFIG"] = str(settings.krb5_config)
    if cache is not None:
        variables["KRB5CCNAME"] = f"FILE:{cache}"
        choice = preferring(server, cache) if server is not None else None
        if choice is not None:
            rest = settings.krb5_config or os.environ.get("KRB5_CONFIG") or "/etc/krb5.conf"
            variables["KRB5_CONFIG"] = f"{choice}:{rest}"
    return variables


def _kinit_somewhere(
    settings: DirectorySettings, cache: Path, servers: Sequence[str], silent: Callable[[str], None]
) -> None:
    """A KDC that takes connections and never answers costs the library ten seconds for each ticket: ask the next."""
    brief = settings.model_copy(update={"timeout": min(settings.timeout, _TRY)})
    *first, last = servers[:_FIRST_TRIES] or ("",)
    for server in first:
        try:
            _kinit(brief, cache, server)
        except DirectoryError as error:
            if not isinstance(error.__cause__, subprocess.TimeoutExpired):
                raise
            silent(server)
        else:
            return
    _kinit(settings, cache, last or None)


def _kinit(settings: DirectorySettings, cache: Path, server: str | None) -> None:
    principal = settings.principal or ""
    command = ["kinit"]
    password = None
    if settings.auth is Auth.KEYTAB:
        _readable(settings.keytab, "keytab")
        command += ["-k", "-t", str(settings.keytab)]
    else:
        password = read_password(settings) + "\n"
    _run([*command, "--", principal], settings, cache, f"No Kerberos ticket for {principal}", password, server)


def _own_cache(settings: DirectorySettings) -> Path:
    named = str(settings.ccache) if settings.ccache else os.environ.get("KRB5CCNAME", f"/tmp/krb5cc_{os.getuid()}")  # noqa: S108
    cache = Path(named.removeprefix("FILE:"))
    if not cache.exists():
        raise DirectoryError(
            f"There is no Kerberos ticket cache at {cache}.",
            not_done=NOTHING_DONE,
            remedy="Run kinit, or name the cache with ccache in [directory].",
        )
    if subprocess.run(["klist", "-s", str(cache)], check=False, timeout=30, env=_child_env(settings, cache)).returncode:
        raise DirectoryError(
            f"The Kerberos ticket in {cache} has expired.",
            not_done=NOTHING_DONE,
            remedy='Run kinit again, or use a keytab (auth = "keytab") so that tickets are renewed by themselves.',
        )
    return cache


def _run(
    command: list[str],
    settings: DirectorySettings,
    cache: Path,
    what: str,
    stdin: str | None,
    server: str | None = None,
) -> None:
    try:
        done = subprocess.run(
            command,
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=settings.timeout,
            env=_child_env(settings, cache, server),
            check=False,
        )
    except FileNotFoundError as error:
        raise DirectoryError(
            f"{what}: the program {command[0]} is not installed.",
            not_done=NOTHING_DONE,
            remedy="Install the package krb5-user.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DirectoryError(
            f"{what}: no domain controller answered within {settings.timeout:g} s.",
            not_done=NOTHING_DONE,
            remedy=_UNANSWERED.format(servers=_named(settings)),
        ) from error
    if done.returncode:
        raise _refused(what, done.stderr.strip() or done.stdout.strip(), settings)


def _named(settings: DirectorySettings) -> str:
    return f" ({', '.join(settings.servers)})" if settings.servers else ""


def _refused(what: str, words: str, settings: DirectorySettings) -> DirectoryError:
    for sign, cause, remedy in _CAUSES:
        if sign in words:
            advice = remedy.format(servers=_named(settings))
            return DirectoryError(f"{what}: {cause}.", not_done=NOTHING_DONE, remedy=advice, detail=words)
    return DirectoryError(f"{what}: {words or 'kinit failed'}", not_done=NOTHING_DONE, detail=words)


def _child_env(settings: DirectorySettings, cache: Path, server: str | None = None) -> dict[str, str]:
    return {**os.environ, **environment(settings, cache, server)}


def read_password(settings: DirectorySettings) -> str:
    """The connector account's password from ``password_file``, without its line ending.

    Raises:
        ConfigError: the file cannot be read or is empty.
    """
    path = settings.password_file
    _readable(path, "password_file")
    assert path is not None  # noqa: S101 - _readable has checked
    password = path.read_text(encoding="utf-8").rstrip("\r\n")
    if not password:
        raise ConfigError(
            f"The password file {path} is empty.", not_done=NOTHING_DONE, remedy="Put the password in it."
        )
    return password


def _readable(path: Path | None, setting: str) -> None:
    try:
        if path is None:
            raise FileNotFoundError(f"{setting} is not set")
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(
            f"The {setting} {path or ''} cannot be read: {error.strerror or error}.",
            not_done=NOTHING_DONE,
            remedy=f"Check {setting} in [directory] and the file's owner and mode.",
        ) from error
