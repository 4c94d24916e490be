"""A domain's overview in words, the same on the terminal and on the status page. Pure."""

from __future__ import annotations

from typing import Any

from keytrust.service.overview import DomainOverview


def span(seconds: float | None) -> str:
    """A length of time as people say it."""
    if seconds is None:
        return "never"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def headline(overview: DomainOverview) -> tuple[str, str]:
    """One or two words on a domain, and their colour."""
    if overview.paused:
        return "paused", "yellow"
    if not overview.alive:
        return "not running", "red"
    if overview.rebuilt is None:
        return "reading everything", "yellow"
    if any(feed.get("failures") for _, feed in overview.feeds):
        return "in trouble", "red"
    if overview.staging:
        return "staging", "yellow"
    return "in step", "green"


def lines(overview: DomainOverview) -> list[tuple[str, str]]:
    """A domain's figures as label and text."""
    state = overview.state
    written = ", ".join(f"{count:,} {action}" for action, count in sorted((state.get("written") or {}).items()))
    oldest = f", the oldest {span(overview.oldest)}" if overview.oldest else ""
    made = [
        ("writer", overview.holder or "nobody"),
        ("keys from", overview.source),
        ("feeds", "; ".join(f"{name} {_feed(feed)}" for name, feed in overview.feeds) or "nothing told yet"),
        ("backlog", f"{overview.waiting:,} waiting{oldest}"),
        ("written", written or "nothing in this term"),
    ]
    latency = state.get("latency")
    if latency:
        made.append(("latency", _latency(latency)))
    made += [("replica", _replica(replica)) for replica in state.get("replicas") or ()]
    reading = state.get("reconcile") or {}
    if reading.get("stage"):
        made.append(("full read", f"{reading['stage']}, {reading.get('done') or 0:,} done"))
    elif overview.rebuilt:
        last = overview.rebuilt[:19].replace("T", " ")
        made.append(("full read", f"last {last} UTC, next in {span(reading.get('next'))}"))
    return made


def _feed(feed: dict[str, object]) -> str:
    if feed.get("failures"):
        return f"failing ({feed['failures']} times in a row)"
    age = feed.get("age")
    return f"{span(float(str(age)))} ago" if age is not None else "not yet"


def _latency(latency: dict[str, float]) -> str:
    return (
        f"median {span(latency.get('p50'))}, 99th percentile {span(latency.get('p99'))}, last"
        f" {span(latency.get('last'))}, of {int(latency.get('count', 0)):,} (registration to confirmed)"
    )


def _replica(replica: dict[str, Any]) -> str:
    lag = replica.get("lag")
    text = f"{replica.get('host')}: " + ("no arrival yet" if lag is None else f"last arrival after {span(lag)}")
    if replica.get("pending"):
        text += f", {replica['pending']:,} on the way"
    return f"{text}; {replica['fault']}" if replica.get("fault") else text
