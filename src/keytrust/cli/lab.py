"""``keytrust lab``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Json, Verbose
from keytrust.cli.output import out, print_json, say, table
from keytrust.lab import Lab, LabSpec, registry_service
from keytrust.lab.spec import MOST_CONTROLLERS
from keytrust.lab.status import as_built, observe, replicas

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
    dcs: Annotated[
        int, typer.Option("--dcs", metavar="N", min=1, max=MOST_CONTROLLERS, help="Domain controllers; they replicate.")
    ] = 1,
    second_domain: Annotated[
        bool, typer.Option("--second-domain", help="A second domain beside it, in a forest of its own.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Build and start the lab: a domain controller, a connector account, a registry. Fine when it is up already.

    A lab that is up can be given more: controllers are joined to it, the second domain is made and configured.
    """
    lab = Lab(LabSpec(name, realm, netbios, address))
    lab.up(say, dcs, second_domain=second_domain)
    registry_service.start(lab.spec, say)
    out.print(f"Configuration: [bold]{lab.spec.config}[/]")
    out.print(f"Try: export KEYTRUST_CONFIG={lab.spec.config}; keytrust plan", soft_wrap=True)


@app.command()
def down(
    name: Name = _DEFAULT.name,
    purge: Annotated[bool, typer.Option("--purge", help="Remove the cached base system too.")] = False,
    verbose: Verbose = False,
) -> None:
    """Remove every trace of the lab, its second domain included: processes, mounts, files."""
    spec = LabSpec(name)
    registry_service.stop(spec)
    Lab(spec).down(say, purge=purge)


@app.command()
def status(name: Name = _DEFAULT.name, json: Json = False, verbose: Verbose = False) -> None:
    """Say what there is of the lab. Exits with 0 when all its domain controllers run, 1 when not."""
    spec = as_built(LabSpec(name))
    every = [spec, *replicas(spec)]
    if spec.second.root.exists():
        second = as_built(spec.second)
        every += [second, *replicas(second)]
    states = [observe(each) for each in every]
    registry = registry_service.running_pid(spec)
    if json:
        told = {"registry": {"pid": registry, "url": spec.registry_url}, "config": spec.config}
        print_json(asdict(states[0]) | told | {"controllers": [asdict(state) for state in states]})
    else:
        rows = table("", "")
        rows.show_header = False
        rows.add_row("Lab", f"{spec.name}: {states[0].phase}")
        for each, state in zip(every, states, strict=True):
            phase = "" if state.running else f"[yellow]{state.phase}[/], "
            rows.add_row("Controller", f"{each.dc_host} at {each.address}, {phase}{state.processes} processes")
        rows.add_row("Registry", f"{spec.registry_url}, process {registry}" if registry else "not running")
        rows.add_row("Files", ", ".join(dict.fromkeys(str(state.root) for state in states)))
        rows.add_row("Mounts", ", ".join(str(mount) for state in states for mount in state.mounts) or "none")
        age = states[0].age
        if age is not None:
            rows.add_row("Age", f"{age / 3600:.1f} hours")
        out.print(rows)
    raise typer.Exit(ExitCode.OK if all(state.running for state in states) else ExitCode.ERROR)
