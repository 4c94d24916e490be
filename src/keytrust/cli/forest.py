"""``keytrust forest``"""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from keytrust.cli.estate_view import show_faults_of
from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, DomainLabel, Json, Verbose, settings
from keytrust.cli.output import counted, out, print_json, safe, table
from keytrust.cli.wiring import open_estate
from keytrust.directory.controller import KEY_TRUST_LEVEL
from keytrust.directory.discovery import Discovery, Seen, discover
from keytrust.errors import KeytrustError

LEVELS = {2: "2003", 3: "2008", 4: "2008 R2", 5: "2012", 6: "2012 R2", 7: "2016", 10: "2025"}
"""msDS-Behavior-Version, [MS-ADTS] 6.1.4.4: the Windows Server of that level."""
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?")
SKEW = 300.0
"""Kerberos refuses clocks that differ by more seconds, unless it is told otherwise."""


def forest(
    domain: DomainLabel = None,
    json: Json = False,
    answer: Annotated[float, typer.Option("--answer", min=0.1, help="Seconds for one domain controller.")] = 4.0,
    total: Annotated[float, typer.Option("--total", min=0.1, help="Seconds for all of them together.")] = 12.0,
    nameserver: Annotated[
        list[str] | None,
        typer.Option("--nameserver", metavar="ADDRESS", help="Ask this DNS server, not the machine's own. Repeatable."),
    ] = None,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Show the forests of the configured domains: domains, domain controllers, and how each of these is.

    Changes nothing. Exits with 0, with 3 when a domain controller did not answer or a configured domain could not be
    had, with 1 on an error.
    """
    found: dict[str, Discovery] = {}
    with open_estate(settings(), cloud=False, only=domain) as estate:
        faults: dict[str, KeytrustError] = dict(estate.faults)
        for member in estate.working():
            try:
                made = discover(
                    member.domain,
                    answer=answer,
                    total=total,
                    nameservers=nameserver or member.domain.settings.nameservers,
                )
            except KeytrustError as error:
                faults[member.label] = error
                continue
            found.setdefault(made.forest.root, made)
    if json:
        print_json(
            {"forests": [_json(each) for each in found.values()], "leftOut": {k: f.message for k, f in faults.items()}}
        )
    else:
        for number, each in enumerate(found.values()):
            if number:
                out.print()
            _show(each)
        show_faults_of(faults)
    silent = any(seen.condition.said is None for each in found.values() for seen in each.controllers)
    raise typer.Exit(ExitCode.INCOMPLETE if silent or faults else ExitCode.OK)


def _show(discovery: Discovery) -> None:
    described = discovery.forest
    out.print(
        f"[bold cyan]Forest {safe(described.root)}[/]  level {level(described.level)},"
        f" schema {described.schema or 'not seen'}, {counted(len(described.domains), 'domain')},"
        f" {counted(len(described.controllers), 'domain controller')}"
    )
    for domain in described.domains:
        child = f", child of {safe(domain.parent)}" if domain.parent else ""
        out.print(f"\n[bold]{safe(domain.name)}[/]  [dim]{safe(domain.netbios)}, level {level(domain.level)}{child}[/]")
        rows = table("Controller", "Site", "Level", "System", "Clock", "State")
        here = [seen for seen in discovery.controllers if seen.listed.domain == domain.name]
        for seen in here:
            rows.add_row(
                safe(seen.listed.host.removesuffix(f".{domain.name}")),
                safe(seen.listed.site),
                level(seen.condition.said.level if seen.condition.said else seen.listed.level),
                safe(system(seen)),
                _clock(seen.condition.offset),
                "; ".join(_state(seen)),
            )
        out.print(rows if here else "[yellow]No domain controller is listed.[/]")
        for host in discovery.only_in_dns.get(domain.name, ()):
            out.print(f"[yellow]In DNS only:[/] {safe(host)}")
    strangers = [seen.listed.host for seen in discovery.controllers if not seen.listed.domain]
    if strangers:
        out.print(f"\n[yellow]Of no known domain:[/] {safe(', '.join(strangers))}")


def level(number: int | None) -> str:
    """A functional level by the server it is named after."""
    return "not seen" if number is None else LEVELS.get(number, str(number))


def system(seen: Seen) -> str:
    """What it runs, as far as anybody says."""
    said = seen.condition.said
    if said is not None and said.samba:
        version = _VERSION.search(said.vendor)
        return f"Samba {version[0]}" if version else "Samba"
    return seen.system or (said.vendor if said is not None else "")


def _state(seen: Seen) -> list[str]:
    if seen.condition.said is None:
        texts = [f"[red]{safe(seen.condition.fault)}[/]"]
    else:
        read_only = seen.listed.read_only or seen.condition.said.read_only
        texts = ["[yellow]read-only[/]" if read_only else "[green]writable[/]"]
        if not seen.condition.said.samba and seen.condition.said.level < KEY_TRUST_LEVEL:
            texts.append("[yellow]too old for key trust[/]")
    texts += ["PDC"] if seen.primary else []
    texts += ["[yellow]not in DNS[/]"] if seen.in_dns is False else []
    return texts


def _clock(offset: float | None) -> str:
    if offset is None:
        return ""
    text = f"{offset:+.0f} s" if abs(offset) >= 1 else "right"
    return f"[red]{text}[/]" if abs(offset) > SKEW else f"[yellow]{text}[/]" if abs(offset) > SKEW / 5 else text


def _json(discovery: Discovery) -> dict[str, Any]:
    described = discovery.forest
    return {
        "root": described.root,
        "level": described.level,
        "schemaVersion": described.schema,
        "domains": [
            {
                "name": each.name,
                "dn": each.dn,
                "netbios": each.netbios,
                "level": each.level,
                "parent": each.parent or None,
                "onlyInDns": list(discovery.only_in_dns.get(each.name, ())),
            }
            for each in described.domains
        ],
        "controllers": [
            {
                "host": seen.listed.host,
                "domain": seen.listed.domain or None,
                "site": seen.listed.site,
                "level": seen.condition.said.level if seen.condition.said else seen.listed.level,
                "system": system(seen) or None,
                "vendor": seen.condition.said.vendor if seen.condition.said else None,
                "readOnly": seen.listed.read_only,
                "globalCatalog": seen.listed.global_catalog,
                "primary": seen.primary,
                "reachable": seen.condition.said is not None,
                "fault": seen.condition.fault or None,
                "clockOffset": None if seen.condition.offset is None else round(seen.condition.offset, 1),
                "inDns": seen.in_dns,
            }
            for seen in discovery.controllers
        ],
    }
