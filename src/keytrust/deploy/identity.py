"""Who sets up: an administrator for one command, never the connector account that the configuration names."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from keytrust.deploy.errors import SetupError
from keytrust.directory.domain import Domain
from keytrust.directory.editor import Editor
from keytrust.directory.kerberos import environment, password_cache
from keytrust.directory.security.control import OWNER_GROUP_DACL
from keytrust.directory.settings import Auth, DirectorySettings


@dataclass(frozen=True, slots=True)
class Identity:
    """How the set-up identity signs in; of the three ways at most one is given.

    Attributes:
        principal: ``name@REALM``; not needed with a ticket cache.
        password: Typed in by a person.
        password_file: A file that holds the password and nothing else.
        keytab: A keytab.
        ccache: A ticket cache; left out like everything else, it is the operator's own (``KRB5CCNAME``).
    """

    principal: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    keytab: Path | None = None
    ccache: Path | None = None


@dataclass(frozen=True, slots=True)
class SetupDirectory:
    """A domain that is open to the set-up identity.

    Attributes:
        domain: For reading.
        editor: For changing, over a session of its own.
        identity: The account's name, for the journal.
    """

    domain: Domain
    editor: Editor
    identity: str


@contextmanager
def open_directory(directory: DirectorySettings, identity: Identity) -> Iterator[SetupDirectory]:
    """Sign in to the configured domain as the set-up identity.

    Raises:
        SetupError: the identity is the connector account, or is given in a way that contradicts itself.
        DirectoryError: it could not sign in.
    """
    with ExitStack() as stack:
        settings = stack.enter_context(_settings(directory, identity))
        name = settings.principal or _principal_of(settings)
        if directory.principal and name.lower() == directory.principal.lower():
            raise SetupError(
                f"{name} is the connector account: what it may do is not its own to change.",
                not_done="Nothing was changed.",
                remedy="Sign in as an administrator of the domain: kinit, or --as with --password-file or --keytab.",
            )
        domain = stack.enter_context(Domain(settings))
        session = stack.enter_context(domain.session((OWNER_GROUP_DACL,)))
        yield SetupDirectory(domain, Editor(session), name)


@contextmanager
def _settings(directory: DirectorySettings, identity: Identity) -> Iterator[DirectorySettings]:
    """The configured way to the domain, signed in as somebody else."""
    credentials = (identity.password, identity.password_file, identity.keytab)
    ways = sum(way is not None for way in (*credentials, identity.ccache))
    if ways > 1:
        raise SetupError("Give one of --password-file, --keytab and --ccache.", not_done="Nothing was changed.")
    if any(credentials) and not identity.principal:
        raise SetupError("Say whose password or keytab it is: --as NAME@REALM.", not_done="Nothing was changed.")
    plain = {"principal": identity.principal, "keytab": None, "password_file": None, "ccache": None}
    if identity.password is not None:
        assert identity.principal is not None  # noqa: S101 - just checked
        with password_cache(directory, identity.principal, identity.password) as cache:
            yield directory.model_copy(update={**plain, "auth": Auth.CCACHE, "ccache": cache})
    elif identity.password_file is not None:
        # By Kerberos whatever the configuration says: the password of an administrator goes to no server.
        update = {**plain, "auth": Auth.PASSWORD, "password_file": identity.password_file}
        yield directory.model_copy(update=update)
    elif identity.keytab is not None:
        yield directory.model_copy(update={**plain, "auth": Auth.KEYTAB, "keytab": identity.keytab})
    else:
        yield directory.model_copy(update={**plain, "auth": Auth.CCACHE, "ccache": identity.ccache})


def _principal_of(settings: DirectorySettings) -> str:
    """Whose tickets a cache holds; empty when that cannot be told, which signing in will explain."""
    named = str(settings.ccache or os.environ.get("KRB5CCNAME") or f"/tmp/krb5cc_{os.getuid()}")  # noqa: S108
    cache = Path(named.removeprefix("FILE:"))
    try:
        listed = subprocess.run(
            ["klist", str(cache)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, **environment(settings, cache)},
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (line.partition(":") for line in listed.splitlines())
    return next((value.strip() for label, _, value in lines if label.strip() == "Default principal"), "")
