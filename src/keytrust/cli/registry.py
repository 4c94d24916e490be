"""``keytrust registry``"""

from __future__ import annotations

import typer

from keytrust.cli import registry_apps
from keytrust.cli.options import Config, Json, Verbose, settings
from keytrust.cli.output import counting, out, print_json
from keytrust.directory.domain import Domain

app = typer.Typer(no_args_is_help=True, help="The self-hosted key registration service.")
app.add_typer(registry_apps.app, name="app")


@app.command()
def serve(config: Config = None, verbose: Verbose = False) -> None:
    """Serve key registration and the Graph-shaped API until told to stop (SIGTERM)."""
    from keytrust.registry.server import serve as run  # noqa: PLC0415 - the web framework is slow to load

    run(settings().need_registry())


@app.command("import")
def import_(json: Json = False, config: Config = None, verbose: Verbose = False) -> None:
    """Bring the registry's users in step with the directory's accounts."""
    from keytrust.registry.from_directory import import_domain  # noqa: PLC0415

    given = settings()
    with Domain(given.need_directory()) as domain, counting("directory: accounts read") as (progress,):
        report = import_domain(given.need_registry(), domain, progress)
    if json:
        print_json(
            {
                "added": report.added,
                "updated": report.updated,
                "restored": report.restored,
                "unchanged": report.unchanged,
                "removed": report.removed,
                "conflicts": report.conflicts,
            }
        )
        return
    out.print(
        f"{report.added} users added, {report.updated} updated, {report.restored} restored, "
        f"{report.removed} deleted (softly), {report.unchanged} unchanged."
    )
    for conflict in report.conflicts:
        out.print(f"[yellow]left out[/] {conflict}: another account has the same source anchor.")
