"""``keytrust cloud``"""

from __future__ import annotations

import typer

from keytrust.cli.options import Config, Json, Verbose, settings
from keytrust.cli.output import out, print_json, safe, table
from keytrust.cli.wiring import key_source
from keytrust.cloud.graph import GraphSource
from keytrust.errors import CloudError, ConfigError

app = typer.Typer(no_args_is_help=True, help="The place where keys are registered.")

_WORKS = {True: "[green]yes[/]", False: "[red]no[/]", None: "?"}


@app.command()
def check(json: Json = False, config: Config = None, verbose: Verbose = False) -> None:
    """Try every way to read keys: what works, the permission each needs, what was seen, and how to grant it."""
    source = key_source(settings().need_cloud())
    if not isinstance(source, GraphSource):
        raise ConfigError(
            f"{source.name} is a file, of which there is nothing to check",
            remedy="`keytrust plan` reads it; this command is for the kinds graph and registry",
        )
    found = source.probe()
    if json:
        names = ("name", "use", "permission", "works", "seen", "grant")
        ways = [{name: getattr(way, name) for name in names} for way in found.ways]
        print_json({"source": source.name, "keys_readable": found.keys_readable, "ways": ways})
    else:
        shown = table("way", "works", "good for", "permission", "seen")
        for way in found.ways:
            shown.add_row(way.name, _WORKS[way.works], way.use, way.permission, safe(way.seen))
        out.print(shown)
        for way in found.ways:
            if way.grant:
                out.print(f"\n[bold]{way.name}[/] {safe(way.grant)}")
    if not found.keys_readable:
        raise CloudError(
            f"no way to read keys works at {source.name}",
            not_done="no key could be read",
            remedy="grant the permission that the list names, or read an exported file",
        )
