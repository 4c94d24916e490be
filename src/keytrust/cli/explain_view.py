"""Explanations as people and programs see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.padding import Padding
from rich.table import Table

from keytrust.cli.output import out, safe
from keytrust.explain.model import Explanation, KeyChain, Link, State
from keytrust.explain.verdict import Verdict

MOST_CONTROLLERS = 8
"""With more domain controllers than that, only those are shown with which something is wrong."""
_MARK = {State.OK: "[green]ok[/]", State.PROBLEM: "[bold red]problem[/]", State.CANNOT_TELL: "[yellow]cannot tell[/]"}
_COLOUR = {State.OK: "green", State.PROBLEM: "red", State.CANNOT_TELL: "yellow"}


def show_explanation(explanation: Explanation, verdict: Verdict, *, evidence: bool) -> None:
    """The answer first, what the user sees and what to do about it; then the chain, link by link."""
    out.print(f"[bold {_COLOUR[verdict.state]}]{safe(verdict.sentence)}[/]")
    reasons = list(dict.fromkeys(at.because for at in verdict.at if at.because is not None))
    for symptom in dict.fromkeys(link.symptom for link in reasons if link.symptom is not None):
        out.print(f'The user sees: "{symptom}"')
    for remedy in dict.fromkeys(link.remedy for link in reasons if link.remedy):
        out.print(f"[bold]What to do:[/] {safe(remedy)}")
    out.print()
    _section(f"{explanation.name} in {explanation.domain}", explanation.user, evidence)
    every = evidence or len(explanation.controllers) <= MOST_CONTROLLERS
    for key in explanation.keys:
        at = [link for link in key.at.values() if every or link.state is not State.OK]
        _section(_key_title(key), (*key.links, *at), evidence)
    well = 0
    for controller in explanation.controllers:
        if not every and all(link.state is State.OK for link in controller.links):
            well += 1
            continue
        kind = {True: "", False: " (read-only)", None: ""}[controller.writable]
        _section(f"Domain controller {controller.host}{kind}", controller.links, evidence)
    if well:
        out.print(f"[dim]{well} more domain controllers, with which all is well, are not shown; -v shows them.[/]")


def explanation_json(explanation: Explanation, verdict: Verdict) -> dict[str, Any]:
    """The same as JSON-ready data."""
    return {
        "name": explanation.name,
        "upn": explanation.upn,
        "dn": explanation.dn,
        "domain": explanation.domain,
        "askedAt": explanation.asked_at.isoformat(),
        "verdict": {
            "state": verdict.state.value,
            "sentence": verdict.sentence,
            "controllers": [
                {"host": at.host, "state": at.state.value, "because": _link(at.because) if at.because else None}
                for at in verdict.at
            ],
        },
        "user": [_link(link) for link in explanation.user],
        "keys": [
            {
                "keyId": key.key_id.hex(),
                "device": str(key.device) if key.device else None,
                "created": key.created.isoformat() if key.created else None,
                "links": [_link(link) for link in key.links],
                "controllers": {host: _link(link) for host, link in key.at.items()},
            }
            for key in explanation.keys
        ],
        "controllers": [
            {
                "host": controller.host,
                "writable": controller.writable,
                "links": [_link(link) for link in controller.links],
            }
            for controller in explanation.controllers
        ],
    }


def _section(title: str, links: Iterable[Link], evidence: bool) -> None:
    out.print(f"[bold]{safe(title)}[/]")
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(min_width=11, no_wrap=True)
    rows.add_column(min_width=10, no_wrap=True)
    rows.add_column(overflow="fold", ratio=1)
    for link in links:
        text = safe(link.sentence)
        if link.state is not State.OK and link.remedy:
            text += f"\n[dim]{safe(link.remedy)}[/]"
        if evidence and link.evidence:
            text += "".join(f"\n[dim]{safe(name)} = {safe(value)}[/]" for name, value in link.evidence)
        rows.add_row(_MARK[link.state], link.id, text)
    out.print(Padding(rows, (0, 0, 1, 2)))


def _key_title(key: KeyChain) -> str:
    device = f", device {key.device}" if key.device else ""
    return f"Key {key.key_id.hex()[:16]}…{device}"


def _link(link: Link) -> dict[str, Any]:
    return {
        "id": link.id,
        "state": link.state.value,
        "sentence": link.sentence,
        "remedy": link.remedy or None,
        "symptom": link.symptom.value if link.symptom else None,
        "evidence": dict(link.evidence),
    }
