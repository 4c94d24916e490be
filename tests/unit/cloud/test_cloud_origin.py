"""Where an access token may go."""

from __future__ import annotations

import httpx
import pytest

from keytrust.cloud.origin import next_page, root_url, shown
from keytrust.errors import CloudError, ConfigError

HERE = httpx.URL("https://graph.example/beta/users?$top=999")


@pytest.mark.parametrize(
    "root",
    [
        "https://graph.microsoft.com",
        "https://h:8443/root/",
        "http://127.0.0.1:80",
        "http://[::1]:8",
        "http://localhost",
    ],
)
def test_https_anywhere_and_http_on_loopback_are_roots(root: str) -> None:
    assert not root_url(root).path.endswith("//")


@pytest.mark.parametrize(
    "root",
    [
        "http://graph.microsoft.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "https://user:secret@host",
        "https://host?x=1",
        "https://host#x",
        "ftp://127.0.0.1",
        "graph.microsoft.com",
        "",
        "https://",
        "https://host:99999999",
        "https://ho st",
        "\x00",
    ],
)
def test_anything_else_is_a_configuration_error_that_shows_no_secret(root: str) -> None:
    with pytest.raises(ConfigError) as caught:
        root_url(root)
    assert "secret" not in f"{caught.value.message} {caught.value.detail}"


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        (
            "https://graph.example/beta/users?$skiptoken=a%2Bb%27c",
            "https://graph.example/beta/users?$skiptoken=a%2Bb%27c",
        ),
        ("https://GRAPH.example:443/x", "https://graph.example/x"),
        ("?$skiptoken=x", "https://graph.example/beta/users?$skiptoken=x"),
        ("/v1.0/users", "https://graph.example/v1.0/users"),
    ],
)
def test_links_to_the_same_origin_are_followed_verbatim(link: str, leads_to: str) -> None:
    assert str(next_page(link, HERE)) == leads_to


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/beta/users",
        "http://graph.example/beta/users",
        "https://graph.example:8443/beta/users",
        "https://graph.example@evil.example/",
        "https://user@graph.example/",
        "https://graph.example\\@evil.example/",
        "//evil.example/",
        "https://graph.example.evil.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "",
        None,
        True,
        7,
        ["https://graph.example/"],
        "https://graph.example/" + "x" * 100_000,
        "https://[",
        "https://graph.example/\x00",
    ],
)
def test_any_other_link_is_refused(link: object) -> None:
    with pytest.raises(CloudError):
        next_page(link, HERE)


def test_a_shown_url_has_no_query_and_no_user() -> None:
    assert shown(httpx.URL("https://u:p@h/x?$skiptoken=secret#f")) == "https://h/x"
