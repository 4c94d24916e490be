"""``keytrust lab``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Json, Verbose
from keytrust.cli.output import out, print_json, say, table
from keytrust.lab import Lab, LabSpec, registry_service

app = typer.Typer(no_args_is_help=True, help="A real Samba domain controller on this machine, to try things on.")

_DEFAULT = LabSpec()

Name = Annotated[str, typer.Option(help="Name of the lab.")]
Realm = Annotated[str, typer.Option(help="Kerberos realm; in lower case, the domain.")]
Netbios = Annotated[str, typer.Option(help="NetBIOS name of the domain.")]
Address = Annotated[str, typer.Option(help="Loopback address of the domain controller.")]


@app.command()
def up(
    name: Name = _DEFAULT.name,
    realm: Realm = _DEFAULT.realm,
    netbios: Netbios = _DEFAULT.netbios,
    address: Address = _DEFAULT.address,
    verbose: Verbose = False,
) -> None:
    """Build and start the lab: a domain controller, a connector account, a registry. Fine when it is up already."""
    lab = Lab(LabSpec(name, realm, netbios, address))
    lab.up(say)
    registry_service.start(lab.spec, say)
    out.print(f"Configuration: [bold]{lab.spec.config}[/]")
    out.print(f"Try: export KEYTRUST_CONFIG={lab.spec.config}; keytrust plan", soft_wrap=True)


@app.command()
def down(
    name: Name = _DEFAULT.name,
    purge: Annotated[bool, typer.Option("--purge", help="Remove the cached base system too.")] = False,
    verbose: Verbose = False,
) -> None:
    """Remove every trace of the lab: processes, mounts, files."""
    spec = LabSpec(name)
    registry_service.stop(spec)
    Lab(spec).down(say, purge=purge)


@app.command()
def status(name: Name = _DEFAULT.name, json: Json = False, verbose: Verbose = False) -> None:
    """Say what there is of the lab. Exits with 0 when its domain controller runs, 1 when not."""
    spec = LabSpec(name)
    state = Lab(spec).status()
    registry = registry_service.running_pid(spec)
    if json:
        print_json(asdict(state) | {"registry": {"pid": registry, "url": spec.registry_url}, "config": spec.config})
    else:
        rows = table("", "")
        rows.show_header = False
        rows.add_row("Lab", f"{state.name}: {state.phase}")
        rows.add_row("Controller", f"{state.dc_host} at {state.address}, {state.processes} processes")
        rows.add_row("Registry", f"{spec.registry_url}, process {registry}" if registry else "not running")
        rows.add_row("Files", str(state.root))
        rows.add_row("Mounts", ", ".join(map(str, state.mounts)) or "none")
        if state.age is not None:
            rows.add_row("Age", f"{state.age / 3600:.1f} hours")
        out.print(rows)
    raise typer.Exit(ExitCode.OK if state.running else ExitCode.ERROR)
