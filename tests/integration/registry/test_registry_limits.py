"""Rate limits over HTTP: who is slowed down, and who is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from registry_site import DESKTOP, LAPTOP, Site, material, quick_material

from keytrust.registry import running


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Site]:
    made = Site.make(
        tmp_path, failures_per_minute=5, registrations_per_minute=3, trusted_proxies=("127.0.0.1",), log_requests=False
    )
    try:
        with running(made.settings) as url:
            yield replace(made, url=url)
    finally:
        made.database.close()


def test_refused_registrations_are_slowed_down_and_a_good_token_still_passes(limited: Site) -> None:
    answers = [limited.post(material(1), "rubbish") for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 3
    for answer in answers[5:]:
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["response"] == "ERROR_FAIL"
    assert limited.post(material(1), limited.device_token()).status_code == 200


def test_requests_without_a_valid_token_are_slowed_down_in_every_api(limited: Site) -> None:
    def ask(path: str) -> httpx.Response:
        return httpx.get(limited.url + path, headers={"Authorization": "Bearer rubbish"})

    statuses = [ask(path).status_code for path in ("/v1.0/users", "/beta/devices", "/v1.0/users/delta") * 3]
    assert statuses == [401] * 5 + [429] * 4
    answer = ask("/v1.0/users")
    assert answer.json()["error"]["code"] == "TooManyRequests"
    assert int(answer.headers["Retry-After"]) >= 1
    assert limited.get("/v1.0/users").status_code == 200


def test_a_proxy_that_is_trusted_says_who_the_client_is(limited: Site) -> None:
    def ask(client: str) -> int:
        headers = {"Authorization": "Bearer rubbish", "X-Forwarded-For": client}
        return httpx.get(f"{limited.url}/v1.0/users", headers=headers).status_code

    assert [ask("192.0.2.1") for _ in range(6)] == [401] * 5 + [429]
    assert ask("192.0.2.2") == 401
    assert [ask(f"2001:db8::{number}") for number in range(6)] == [401] * 5 + [429]


def test_nobody_else_says_who_the_client_is(site: Site) -> None:
    def ask(client: str) -> int:
        headers = {"Authorization": "Bearer rubbish", "X-Forwarded-For": client}
        return httpx.get(f"{site.url}/v1.0/users", headers=headers).status_code

    assert 429 in [ask(f"192.0.2.{number}") for number in range(40)]


def test_one_user_cannot_register_without_end_and_others_are_not_held_up(limited: Site) -> None:
    tokens = [limited.device_token(device=device) for device in (LAPTOP, DESKTOP)]
    statuses = [limited.post(quick_material(number), tokens[number % 2]).status_code for number in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    refused = limited.post(quick_material(9), tokens[0])
    assert refused.json()["code"] == "TooManyRequests"
    assert int(refused.headers["Retry-After"]) >= 1
    assert limited.post(quick_material(10), limited.device_token("bob", DESKTOP)).status_code == 200
