"""The unmodified azure-identity gets tokens from the registry, which the registry then takes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CertificateCredential, ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from conftest import Served


def options(served: Served) -> dict[str, Any]:
    """What a client has to be told of a registry: where it is and whom to trust."""
    return {
        "authority": served.url,
        "disable_instance_discovery": True,
        "connection_verify": str(served.tls.ca),
        "retry_total": 0,
    }


def scope(served: Served) -> str:
    return f"{served.url}/.default"


def users_seen_with(served: Served, token: str) -> int:
    answer = httpx.get(
        f"{served.url}/v1.0/users?$top=999", headers={"Authorization": f"Bearer {token}"}, verify=served.trust
    )
    return len(answer.json()["value"])


def test_a_client_secret_gets_a_token_that_reads(served: Served) -> None:
    with ClientSecretCredential(served.tenant, *served.reader, **options(served)) as credential:
        issued = credential.get_token(scope(served))
    assert users_seen_with(served, issued.token) == 30


def test_so_does_the_asynchronous_client(served: Served) -> None:
    async def ask() -> str:
        async with AsyncClientSecretCredential(served.tenant, *served.reader, **options(served)) as credential:
            return (await credential.get_token(scope(served))).token

    assert users_seen_with(served, asyncio.run(ask())) == 30


def test_a_certificate_gets_a_token_that_reads(served: Served) -> None:
    client, pem = served.by_certificate
    with CertificateCredential(served.tenant, client, str(pem), **options(served)) as credential:
        issued = credential.get_token(scope(served))
    assert users_seen_with(served, issued.token) == 30


def test_the_tenant_may_be_named_by_its_name(served: Served) -> None:
    name = served.site.settings.tenant_name
    with ClientSecretCredential(name, *served.reader, **options(served)) as credential:
        assert credential.get_token(scope(served)).token
    client, pem = served.by_certificate
    with CertificateCredential(name, client, str(pem), **options(served)) as credential:
        assert credential.get_token(scope(served)).token


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_secret": "wrong"}, "AADSTS7000215"),
        ({"client_id": "00000000-0000-0000-0000-000000000000"}, "AADSTS7000215"),
        ({"scope": "https://graph.microsoft.com/.default"}, "AADSTS70011"),
        ({"tenant_id": "another.example"}, "90002|tenant"),
    ],
)
def test_a_refusal_reaches_the_caller_with_its_code(served: Served, change: dict[str, str], code: str) -> None:
    client, secret = served.reader
    given = {"tenant_id": served.tenant, "client_id": client, "client_secret": secret, **change}
    wanted = given.pop("scope", scope(served))
    with (
        ClientSecretCredential(**given, **options(served)) as credential,
        pytest.raises((ClientAuthenticationError, ValueError), match=code),
    ):
        credential.get_token(wanted)


def test_a_server_that_is_not_trusted_gets_no_secret(served: Served) -> None:
    given = {**options(served), "connection_verify": True}
    with (
        ClientSecretCredential(served.tenant, *served.reader, **given) as credential,
        pytest.raises(Exception, match=r"(?i)certificate"),
    ):
        credential.get_token(scope(served))
