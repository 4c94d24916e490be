"""What the ``[cloud]`` table accepts: one way to prove who we are, and only to those who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from keytrust.cloud.settings import CloudSettings, CredentialKind

TENANT = {"kind": "graph", "tenant_id": "contoso.example", "client_id": "app"}
SECRET = {**TENANT, "client_secret_file": "secret"}


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        (None, "https://login.microsoftonline.com"),
        ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
        ("https://microsoftgraph.chinacloudapi.cn/", "https://login.chinacloudapi.cn"),
    ],
)
def test_the_authority_follows_from_the_national_cloud(url: str | None, authority: str) -> None:
    assert CloudSettings(**{**SECRET, "url": url}).token_authority == authority


def test_how_to_prove_who_we_are_follows_from_what_is_given() -> None:
    assert CloudSettings(**SECRET).credential_kind is CredentialKind.SECRET
    assert CloudSettings(**TENANT, client_certificate_file="x").credential_kind is CredentialKind.CERTIFICATE
    assert CloudSettings(kind="graph", credential="managed-identity").credential_kind is CredentialKind.MANAGED_IDENTITY


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (TENANT, "client_secret_file"),
        ({**SECRET, "client_secret_env": "X"}, "one of"),
        ({**SECRET, "client_certificate_file": "x", "credential": "secret"}, "does not use"),
        ({**SECRET, "credential": "managed-identity"}, "does not use client_secret_file"),
        ({**SECRET, "credential": "certificate"}, "client_certificate_file"),
        ({"kind": "graph", "client_id": "app", "client_secret_file": "x"}, "tenant_id"),
        ({"kind": "graph", "tenant_id": "t", "client_secret_file": "x"}, "client_id"),
        ({**SECRET, "url": "https://registry.example"}, "authority"),
        ({**SECRET, "authority": "http://login.example"}, "https"),
        ({**SECRET, "authority": "login.example"}, "https"),
        ({**SECRET, "tenant_id": "a/b"}, "tenant_id"),
        ({**TENANT, "client_secret_env": "A B"}, "client_secret_env"),
        ({**TENANT, "client_secret_credential": "../x"}, "client_secret_credential"),
        ({"kind": "registry", "url": "https://registry.example"}, "token_file"),
        ({"kind": "file"}, "path"),
        ({**SECRET, "client_secret": "x"}, "client_secret"),
    ],
)
def test_a_contradiction_is_refused_and_named(given: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        CloudSettings(**given)
