"""The web application without a server: who may see what, and what is shown of hostile names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from keytrust.errors import ConfigError, StoreError
from keytrust.service.events import Event, EventKind
from keytrust.service.overview import DomainOverview, Standing, Waiting, overview_json
from keytrust.service.overview_text import headline, span
from keytrust.web.app import Sources, create_app
from keytrust.web.metrics import Metrics
from keytrust.web.page import page
from keytrust.web.settings import WebSettings

WELL = DomainOverview(
    name="corp.example",
    sid="S-1-5-21-1-2-3",
    source="https://graph.example",
    paused=False,
    rebuilt="2026-01-02T03:04:05+00:00",
    holder="keytrust run on a (process 1)",
    state={
        "feeds": {"cloud": {"failures": 0, "fault": "", "age": 0.5}},
        "latency": {"p50": 0.4, "p99": 1.2, "last": 0.3, "count": 9},
    },
    age=1.0,
    waiting=3,
    oldest=2.0,
    set_aside_count=0,
    set_aside=(),
    held_count=0,
    held_because="",
    finding_count={},
    findings=(),
)


class World:
    def __init__(self) -> None:
        self.seen: Sequence[DomainOverview] | None = (WELL,)
        self.stalled: tuple[str, ...] = ()
        self.reads = 0

    def read(self) -> Sequence[DomainOverview]:
        self.reads += 1
        if self.seen is None:
            raise StoreError("The store is away.")
        return self.seen

    async def get(
        self, path: str, settings: WebSettings | None = None, *, method: str = "GET", **headers: str
    ) -> httpx.Response:
        metrics = Metrics(self.read)
        app = create_app(settings or WebSettings(), Sources(self.read, lambda: self.stalled, metrics, "here"))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8940") as client:
            return await client.request(
                method, path, headers={name.replace("_", "-"): v for name, v in headers.items()}
            )

    def ask(self, path: str, settings: WebSettings | None = None, **given: str) -> httpx.Response:
        import asyncio

        return asyncio.run(self.get(path, settings, **given))


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("path", ["/", "/metrics", "/status.json"])
def test_what_names_anybody_needs_the_token_and_health_does_not(world: World, tmp_path: Path, path: str) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef0123456789abcdef\n")
    settings = WebSettings(token_file=file)
    assert world.ask(path, settings).status_code == 401
    assert world.ask(path, settings, authorization="Bearer 0123456789abcdef0123456789abcdeX").status_code == 401
    assert world.ask(path, settings, authorization="Basic 0123456789abcdef0123456789abcdef").status_code == 401
    assert world.ask(path, settings, authorization="Bearer 0123456789abcdef0123456789abcdef").status_code == 200
    assert world.ask("/healthz", settings).status_code == 200


def test_a_page_of_somebody_elses_site_cannot_read_it_by_pointing_its_name_here(world: World) -> None:
    assert world.ask("/status.json", host="evil.example").status_code == 421
    assert world.ask("/status.json", host="localhost:8940").status_code == 200


def test_it_only_answers_questions(world: World) -> None:
    assert world.ask("/", method="POST").status_code == 405
    assert world.ask("/nothing-here").status_code == 404


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ((WELL,), 200),
        ((replace(WELL, holder=None),), 503),
        ((replace(WELL, age=100.0),), 503),
        ((replace(WELL, paused=True, holder=None),), 200),
        ((WELL, replace(WELL, name="other", holder=None)), 503),
        (None, 503),
    ],
)
def test_ready_is_who_has_a_writer_that_is_alive_for_every_domain(
    world: World, seen: Sequence[DomainOverview] | None, code: int
) -> None:
    world.seen = seen
    assert world.ask("/readyz").status_code == code
    assert world.ask("/").status_code == (503 if seen is None else 200)
    assert world.ask("/metrics").status_code == 200, "metrics are what tells that the store is away"


def test_a_process_without_progress_is_not_healthy(world: World) -> None:
    world.stalled = ("corp.example",)
    answer = world.ask("/healthz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == ["corp.example"]


def test_hostile_names_stay_text() -> None:
    evil = "<script>alert(1)</script>\u202e"
    found = replace(
        WELL,
        name=evil,
        findings=(Standing("privileged", evil, evil, "2026"),),
        finding_count={evil: 1},
        set_aside=(Waiting(evil, b"g" * 16, evil, 3, 5.0),),
    )
    text = page([found], evil, evil)
    assert "<script" not in text
    assert "\u202e" not in text
    assert overview_json(found)["set_aside"][0]["guid"].count("-") == 4


@pytest.mark.parametrize("fields", [{"host": "0.0.0.0"}, {"host": "0.0.0.0", "tls_certificate": "a", "tls_key": "b"}])  # noqa: S104
def test_it_is_not_served_to_the_network_without_tls_and_a_token(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        WebSettings.model_validate(fields)


@pytest.mark.parametrize("content", [None, "short"])
def test_a_token_that_is_missing_or_too_short_is_told(world: World, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "token"
    if content:
        file.write_text(content)
    with pytest.raises(ConfigError):
        world.ask("/", WebSettings(token_file=file))


def test_counters_follow_events_and_the_store_is_read_once_however_many_ask(world: World) -> None:
    metrics = Metrics(world.read)
    for seconds in (0.4, None):
        metrics(Event(EventKind.WRITTEN, "d", "", data={"action": "add", "seconds": seconds}))
    metrics(Event(EventKind.WRITTEN, "d", "", data={"action": "remove", "seconds": None}))
    metrics(Event(EventKind.FEED_FAILED, "d", "", data={"feed": "cloud"}))
    metrics(Event(EventKind.LEASE_GAINED, "corp.example", ""))
    text = metrics.exposition().decode()
    for line in (
        'keytrust_changes_total{action="add",domain="d"} 2.0',
        'keytrust_removals_total{domain="d"} 1.0',
        'keytrust_registration_to_confirmed_seconds_bucket{domain="d",le="0.5"} 1.0',
        'keytrust_errors_total{cause="cloud",domain="d"} 1.0',
        'keytrust_lease_held{domain="corp.example"} 1.0',
        'keytrust_last_success_age_seconds{domain="corp.example",part="cloud"} 1.5',
    ):
        assert line in text
    for _ in range(20):
        metrics.exposition()
    assert world.reads == 1
    metrics(Event(EventKind.LEASE_LOST, "corp.example", ""))
    assert 'keytrust_lease_held{domain="corp.example"} 0.0' in metrics.exposition().decode()


def test_one_word_says_how_a_domain_fares() -> None:
    failing = {"feeds": {"cloud": {"failures": 2, "fault": "503"}}}
    words = [
        headline(each)[0]
        for each in (
            WELL,
            replace(WELL, paused=True),
            replace(WELL, holder=None),
            replace(WELL, rebuilt=None),
            replace(WELL, state=failing),
            replace(WELL, state={"staging": True}),
        )
    ]
    assert words == ["in step", "paused", "not running", "reading everything", "in trouble", "staging"]
    assert [span(each) for each in (None, 0.25, 3.21, 61, 600, 10_000, 1e6)] == [
        "never", "250 ms", "3.2 s", "61 s", "10 min", "3 h", "12 days",
    ]  # fmt: skip
