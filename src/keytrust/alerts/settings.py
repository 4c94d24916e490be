"""The ``[alerts]`` table: who is told, and of what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keytrust.cloud.origin import is_loopback
from keytrust.service.events import EventKind

DEFAULT_KINDS = (
    EventKind.CONFLICT,
    EventKind.CAP_REACHED,
    EventKind.UNEXPECTED_VALUE,
    EventKind.VANISHING_VALUE,
    EventKind.LEASE_LOST,
    EventKind.NOT_REPLICATED,
)
_SYSLOG = re.compile(
    r"(?:unix:(?P<path>/.+)|(?P<kind>udp|tcp):(?P<host>\[[^\]\s]+\]|[^:\s\[\]]+):(?P<port>[0-9]{1,5}))"
)


class AlertSettings(BaseModel):
    """The ``[alerts]`` table.

    Attributes:
        webhook_url: Where to POST, https or on loopback.
        webhook_secret_file: A file with the secret that alerts are signed with.
        syslog: ``unix:/dev/log``, ``udp:HOST:PORT`` or ``tcp:HOST:PORT``.
        kinds: Of what to tell.
        repeat_minutes: The same thing is told again after so long at the earliest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    webhook_url: str | None = Field(default=None, max_length=2048, repr=False)
    webhook_secret_file: Path | None = None
    syslog: str | None = None
    kinds: tuple[EventKind, ...] = DEFAULT_KINDS
    repeat_minutes: float = Field(default=60.0, gt=0, le=7 * 24 * 60)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if (self.webhook_url is None) != (self.webhook_secret_file is None):
            raise ValueError("webhook_url and webhook_secret_file belong together")
        if self.webhook_url is not None:
            url = urlsplit(self.webhook_url)
            local = url.scheme == "http" and is_loopback(url.hostname or "")
            if (url.scheme != "https" and not local) or not url.hostname or url.username or url.password:
                raise ValueError("webhook_url must be https, or http on a loopback address, without a password in it")
        if self.syslog is not None and not _SYSLOG.fullmatch(self.syslog):
            raise ValueError('syslog must be "unix:/dev/log", "udp:HOST:PORT" or "tcp:HOST:PORT"')
        return self

    @property
    def syslog_address(self) -> tuple[str, str, int] | None:
        """Kind, path or host, and port (0 for unix); None when there is no syslog."""
        found = _SYSLOG.fullmatch(self.syslog or "")
        if found is None:
            return None
        if found["path"]:
            return "unix", found["path"], 0
        return found["kind"], found["host"].strip("[]"), int(found["port"])
