"""An application's secret from where the operator put it: a file, an environment variable or a systemd credential."""

from __future__ import annotations

import os
from pathlib import Path

from keytrust.cloud.settings import CloudSettings
from keytrust.errors import ConfigError

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Where systemd puts a service's credentials (systemd.exec(5), LoadCredential=)."""

_MAX_SECRET = 4096
_MAX_CERTIFICATE = 256 * 1024
_NOT_DONE = "no access token was asked for; the cloud was not read"


def read_secret(cloud: CloudSettings) -> str:
    """The application's secret, as it is there now.

    Raises:
        ConfigError: it is not there or is none; never shows it.
    """
    if cloud.client_secret_env is not None:
        where = f"the environment variable {cloud.client_secret_env}"
        content = os.environ.get(cloud.client_secret_env, "").encode("utf-8", "surrogateescape")
    else:
        path = _path(cloud)
        where = str(path)
        content = _read(path, _MAX_SECRET)
    try:
        secret = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        secret = ""
    if not secret or not secret.isprintable() or secret != secret.strip():
        raise ConfigError(
            f"{where} does not hold a client secret",
            not_done=_NOT_DONE,
            remedy="put the secret's value there, and nothing else",
        )
    return secret


def read_certificate(cloud: CloudSettings) -> bytes:
    """The application's certificate with its private key.

    Raises:
        ConfigError: the file cannot be read.
    """
    if cloud.client_certificate_file is None:
        raise ConfigError("no client certificate is configured", remedy="set client_certificate_file in [cloud]")
    return _read(cloud.client_certificate_file, _MAX_CERTIFICATE)


def _path(cloud: CloudSettings) -> Path:
    if cloud.client_secret_file is not None:
        return cloud.client_secret_file
    directory = os.environ.get(CREDENTIALS_DIRECTORY)
    if not directory or cloud.client_secret_credential is None:
        raise ConfigError(
            f"there is no systemd credential {cloud.client_secret_credential}: ${CREDENTIALS_DIRECTORY} is not set",
            not_done=_NOT_DONE,
            remedy="run as a service with LoadCredential= or LoadCredentialEncrypted=, or use client_secret_file",
        )
    return Path(directory) / cloud.client_secret_credential


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            not_done=_NOT_DONE,
            remedy="check its place and that this user may read it",
        ) from error
    if len(content) > limit:
        raise ConfigError(f"{path} is larger than {limit} bytes", not_done=_NOT_DONE, remedy="name the right file")
    return content
