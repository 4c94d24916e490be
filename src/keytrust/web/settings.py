"""The ``[web]`` table: where health, metrics and the status page are served."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from keytrust.cloud.origin import is_loopback


class WebSettings(BaseModel):
    """The ``[web]`` table. Without it nothing is served.

    Attributes:
        host: The address to listen at.
        port: The port; 0 takes any free one.
        tls_certificate: PEM certificate chain. Required unless ``host`` is loopback.
        tls_key: PEM private key for it, without a passphrase.
        token_file: A file with the bearer token that metrics and status ask for. Required unless ``host`` is loopback.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8940, ge=0, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        if not is_loopback(self.host) and (self.tls_certificate is None or self.token_file is None):
            raise ValueError("tls_certificate, tls_key and token_file are needed at an address that is not loopback")
        return self
