"""The OpenAPI document is true: schemathesis asks for everything it describes, as an administrator and as nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from registry_site import LAPTOP, Site, material
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keytrust.registry import running
from keytrust.registry.settings import SignInSettings

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 4
"""For each operation and caller; all together stay below half a minute."""

KNOWN: dict[str, str] = {
    "tenant": "keytrust.local",
    "user": "alice@example.org",
    "device": str(LAPTOP),
}
"""What paths name, so that not every request ends at something that does not exist."""


@dataclass
class Described:
    """A registry with everything switched on, and the operations that it describes."""

    site: Site
    operations: list[Any]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    folder = tmp_path_factory.mktemp("registry")
    made = Site.make(
        folder,
        signing_keys=folder / "keys",
        sign_in=SignInSettings(servers=("localhost",), timeout=1),
        failures_per_minute=0,
    )
    try:
        with running(made.settings) as url:
            site = replace(made, url=url)
            site.post(material(1), site.device_token())
            schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
            yield Described(site, [result.ok() for result in schema.get_all_operations()])
    finally:
        made.database.close()


def test_every_route_is_described(described: Described) -> None:
    labels = {operation.label for operation in described.operations}
    assert len(labels) > 40
    assert {"POST /EnrollmentServer/key/", "POST /{tenant}/oauth2/v2.0/token", "GET /readyz", "GET /metrics"} <= labels
    assert {"PATCH /v1.0/users/{user}", "DELETE /beta/devices/{device}", "POST /v1.0/$batch"} <= labels


@pytest.mark.parametrize("caller", ["nobody", "reader", "administrator"])
def test_no_request_of_any_kind_is_answered_otherwise_than_described(described: Described, caller: str) -> None:
    site = described.site
    headers = {"nobody": {}, "reader": site.reader(), "administrator": site.administrator()}[caller]
    for operation in described.operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=False,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), existing=st.sampled_from([True, True, False]))
        def ask(case: Any, existing: bool) -> None:
            if existing:
                case.path_parameters = {
                    name: KNOWN.get(name, value) for name, value in (case.path_parameters or {}).items()
                }
            response = case.call(base_url=site.url, headers=headers)
            case.validate_response(response, checks=CHECKS)

        ask()
    assert httpx.get(f"{site.url}/readyz").json() == {"status": "ok"}
