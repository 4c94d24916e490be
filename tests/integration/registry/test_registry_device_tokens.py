"""Tokens that must not register a key."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
from registry_site import LAPTOP, Site, assert_refused, material

from keytrust.registry.issuer import Issuer


def bad_tokens(site: Site, tmp: Path) -> dict[str, tuple[str, str]]:
    """A token that must not register anything, and what the refusal names."""
    now = int(time.time())
    audience = site.settings.key_provision_resource
    good: dict[str, Any] = {
        "aud": audience,
        "upn": "alice@example.org",
        "deviceid": str(LAPTOP),
        "amr": ["pwd", "ngcmfa"],
        "auth_time": now,
    }

    def signed(**changes: Any) -> str:
        return site.issuer.sign({name: value for name, value in {**good, **changes}.items() if value is not ...})

    other = Issuer.open(tmp / "other", name="urn:other", algorithm="ES256")
    impostor = Issuer.open(tmp / "impostor", algorithm="ES256")
    kid = {"kid": jwt.get_unverified_header(signed())["kid"]}
    coordinate = json.loads(json.dumps(site.issuer.key_set()))["keys"][0]["x"]
    claims = {**good, "iss": "urn:keytrust:issuer", "exp": now + 600}
    return {
        "a dot": (".", "Authorization"),
        "rubbish": ("rubbish", "Authorization"),
        "three dots": ("a.b.c", "Authorization"),
        "huge": ("a" * 20_000, "Authorization"),
        "no signature": (jwt.encode(claims, "", algorithm="none", headers=kid), "Authorization"),
        "signed with the public key": (jwt.encode(claims, coordinate, algorithm="HS256", headers=kid), "Authorization"),
        "another issuer": (other.sign(good), "Authorization"),
        "an impostor": (impostor.sign(good), "Authorization"),
        "another audience": (signed(aud="urn:ms-drs:elsewhere"), "Authorization"),
        "no audience": (signed(aud=...), "Authorization"),
        "expired": (signed(exp=now - 3600), "Authorization"),
        "not yet valid": (signed(nbf=now + 3600), "Authorization"),
        "expires absurdly": (signed(exp=float("inf")), "Authorization"),
        "a reader": (site.issuer.reader_token(audience=site.settings.graph_resource), "Authorization"),
        "no second factor": (signed(amr=["pwd"]), "amr"),
        "amr a string": (signed(amr="ngcmfa"), "amr"),
        "amr a map": (signed(amr={"ngcmfa": 1}), "amr"),
        "a stale second factor": (signed(auth_time=now - 700), "auth_time"),
        "a second factor to come": (signed(auth_time=now + 700), "auth_time"),
        "a second factor that is no time": (signed(auth_time=float("nan")), "auth_time"),
        "a second factor that is a text": (signed(auth_time=str(now)), "auth_time"),
        "a stale token": (signed(auth_time=..., iat=now - 700), "auth_time"),
        "no device": (signed(deviceid=...), "deviceid"),
        "a device that is no GUID": (signed(deviceid="laptop"), "deviceid"),
        "an unknown device": (signed(deviceid=str(UUID(int=99))), "deviceid"),
        "no user": (signed(upn=...), "upn"),
        "a user that is no text": (signed(upn=["alice@example.org"]), "upn"),
    }


CASES = [
    "a dot", "rubbish", "three dots", "huge", "no signature", "signed with the public key", "another issuer",
    "an impostor", "another audience", "no audience", "expired", "not yet valid", "expires absurdly", "a reader",
    "no second factor", "amr a string", "amr a map", "a stale second factor", "a second factor to come",
    "a second factor that is no time", "a second factor that is a text", "a stale token", "no device",
    "a device that is no GUID", "an unknown device", "no user", "a user that is no text",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_token_without_the_right_claims_is_refused(site: Site, tmp_path: Path, case: str) -> None:
    token, target = bad_tokens(site, tmp_path)[case]
    answer = site.post(material(1), token)
    assert_refused(site, answer, 401, target)
    assert "www-authenticate" in answer.headers
    assert len(token) < 20 or token not in answer.text


def test_every_case_of_bad_tokens_is_tested(site: Site, tmp_path: Path) -> None:
    assert set(bad_tokens(site, tmp_path)) == set(CASES)
