"""No request, however strange, makes the registry answer with a server error or stop."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_site import Site, material

from keytrust.registry import running

PATHS = [
    "/keytrust.local/Discover",
    "/EnrollmentServer/key/",
    "/healthz",
    "/beta/users",
    "/beta/users/alice@example.org",
    "/beta/users/alice@example.org/deviceKeys",
    "/v1.0/users/alice@example.org/authentication/windowsHelloForBusinessMethods",
    "/v1.0/users/x/authentication/windowsHelloForBusinessMethods/y",
    "/v1.0/devices",
    "/nothing",
]
OPTIONS = ["$select", "$filter", "$top", "$skiptoken", "$expand", "api-version", "$x", ""]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site.make(tmp_path_factory.mktemp("registry"), failures_per_minute=0)
    try:
        with running(made.settings) as url:
            yield replace(made, url=url)
    finally:
        made.database.close()


def exchange(site: Site, raw: bytes, patience: float = 20.0) -> bytes:
    """Send bytes, and read what comes until the server closes or has been silent for so many seconds."""
    port = int(site.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        received = b""
        try:
            connection.sendall(raw)
            while chunk := connection.recv(65536):
                received += chunk
        except (ConnectionError, TimeoutError):
            pass
    return received


def assert_no_server_error(site: Site, answer: bytes) -> None:
    statuses = re.findall(rb"^HTTP/1\.1 (\d{3})", answer, re.MULTILINE)
    assert not any(status.startswith(b"5") for status in statuses), answer[:300]
    assert httpx.get(f"{site.url}/readyz").json() == {"status": "ok"}


def request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


ODD_TARGETS = [
    "/beta/users/%00",
    "/beta/users/a%00b",
    "/beta/users/%ff%fe",
    "/beta/users/%ed%a0%80",
    "/beta/users/%zz",
    "/beta/users/%",
    "/beta/users/..%2f..%2fetc",
    "/beta/users/" + "a" * 30_000,
    "/beta/users?$top=" + "9" * 10_000,
    "/beta/users?$top=%00",
    "/beta/users?$filter=id%20eq%20%27%00%27",
    "/beta/users?$filter=userPrincipalName%20eq%20%27%ff%27",
    "/beta/users?$filter=" + "(" * 10_000,
    "/beta/users?$filter=id%20eq%20%27" + "%27%27" * 5_000 + "%27",
    "/beta/users?$select=" + "id," * 9_000 + "id",
    "/beta/users?$skiptoken=" + "A" * 22,
    "/beta/users?$skiptoken=" + "%F0%9F%98%80" * 22,
    "/beta/users?%00=%00&&&=&?&",
    "/%00/Discover?api-version=1.9",
    "/keytrust.local/Discover?api-version=%00",
    "/EnrollmentServer/key/?api-version=%ff",
    "//",
    "*",
    "http://evil.example/beta/users",
    "/readyz/%2e%2e",
]


@pytest.mark.parametrize("target", ODD_TARGETS, ids=range(len(ODD_TARGETS)))
def test_odd_targets(shared: Site, target: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS", "TRACE", "\u00c4"):
        assert_no_server_error(shared, exchange(shared, request(method, target, shared.reader())))


@pytest.mark.parametrize(
    "raw",
    [
        b"\0" * 100_000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /beta/users HTTP/1.1\r\nHost: \xff\xfe\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"POST /EnrollmentServer/key/?api-version=1.0 HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /EnrollmentServer/key/?api-version=1.0 HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{",
        b"POST /EnrollmentServer/key/?api-version=1.0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /EnrollmentServer/key/?api-version=1.0 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_hardly_http(shared: Site, raw: bytes) -> None:
    assert_no_server_error(shared, exchange(shared, raw, 0.5))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer  ",
        "Basic YTpi",
        "bearer .",
        "Bearer eyJhbGciOiJSUzI1NiJ9..",
        "Bearer " + "W1tb" * 3_000 + ".e30.e30",
        "Bearer eyJhbGciOiJub25lIn0.bnVsbA.",
        "Bearer eyJhbGciOjEsImtpZCI6MX0.e30.e30",
        "Bearer e30.W10.e30",
        "Bearer \xff\xfe",
    ],
)
def test_odd_authorizations_are_refused(shared: Site, authorization: str) -> None:
    for path in ("/beta/users", "/EnrollmentServer/key/?api-version=1.0"):
        method = "POST" if "key" in path else "GET"
        headers = {"Authorization": authorization, "Accept": "application/json"}
        answer = exchange(shared, request(method, path, headers, b"{}"))
        assert answer.startswith(b"HTTP/1.1 401"), answer[:300]
        assert_no_server_error(shared, answer)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "DELETE", "PATCH", "HEAD"]),
    st.sampled_from(PATHS),
    st.lists(st.tuples(st.sampled_from(OPTIONS), st.text(max_size=30) | st.integers().map(str)), max_size=3),
    st.text(max_size=30),
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps({"kngc": v}).encode()),
)
def test_any_combination_of_path_options_and_body(
    shared: Site, method: str, path: str, options: list[tuple[str, str]], tail: str, body: bytes
) -> None:
    headers = shared.administrator() | {"Accept": "application/json"}
    target = shared.url + path + quote(tail, safe="/", errors="replace")
    answer = httpx.request(method, target, params=[(n, v) for n, v in options], headers=headers, content=body)
    assert answer.status_code < 500
    if answer.content and method != "HEAD":
        assert isinstance(answer.json(), dict | list)


def test_the_openapi_document_describes_the_answers(shared: Site) -> None:
    schema = httpx.get(f"{shared.url}/openapi.json").json()
    assert set(schema["paths"]) >= {"/beta/users", "/v1.0/users", "/EnrollmentServer/key/", "/{tenant}/Discover"}
    refusal = shared.post(material(1), "x").json()
    model = schema["components"]["schemas"]["KppError"]
    assert set(refusal) == set(model["properties"]) == set(model["required"])
    page: dict[str, Any] = shared.get("/beta/users").json()
    assert set(page) <= set(schema["components"]["schemas"]["Collection"]["properties"])
