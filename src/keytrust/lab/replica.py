"""A further domain controller of a lab's domain: joined to the first, and replicating with it both ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from keytrust.errors import LabError
from keytrust.lab import basetree, certificates, controller, dns, hosts, machine, processes, removal, status, texts
from keytrust.lab import tree as inside
from keytrust.lab.provision import options, write, write_controller_certificate, write_secret
from keytrust.lab.spec import LabSpec

_CREDENTIALS = "/root/join"


def bring_up(spec: LabSpec, cache: Path, report: Callable[[str], None]) -> None:
    """Have a further controller running: join it, restart it, or find it up. The first must be running.

    Raises:
        LabError: a step failed; what was half done is done again the next time.
    """
    made = status.load(spec) is not None
    if not made:
        processes.kill_all(spec.tree)
        removal.remove(spec.tree)
        machine.require_free_address(spec)
        basetree.unpack(cache, spec.tree, report)
        _join(spec, report)
    hosts.add(lab=spec.hosts_mark, address=spec.address, host=spec.dc_host)
    phase = status.observe(spec).phase
    if phase is status.Phase.PAUSED:
        controller.resume(spec)
    elif phase is not status.Phase.RUNNING or not controller.serves(spec):
        report(f"starting {spec.dc_host}")
        controller.start(spec)
    if not made:
        dns.enter(spec)
        _await_replication(spec, report)
        status.save(spec)
    report(f"{spec.dc_host} is up at {spec.address}")


def _await_replication(spec: LabSpec, report: Callable[[str], None]) -> None:
    first = spec.dc(1)
    try:
        controller.await_known(spec, first)
    except LabError:
        # The first may hold a ticket from before the join set our password, or for an account of ours that a join
        # before this one made, and use it for hours. When it starts it has none.
        report(f"{first.dc_host} cannot replicate from {spec.dc_host} yet: starting it again")
        controller.stop(first)
        controller.start(first)
        controller.await_known(spec, first)


def _join(spec: LabSpec, report: Callable[[str], None]) -> None:
    first = spec.dc(1)
    report(f"joining {spec.dc_host} to {spec.domain}")
    authority = certificates.Pair(spec.ca_cert.read_bytes(), spec.ca_key.read_bytes())
    write_controller_certificate(spec, certificates.issue(authority, spec.realm, spec.dc_host))
    write(spec.tree / "etc/hosts", texts.controller_hosts(spec) + f"{first.address} {first.dc_host}\n")
    write(spec.tree / "etc/hostname", f"{spec.dc_name}\n")
    write(spec.tree / "etc/resolv.conf", texts.controller_resolv(spec))
    write(spec.tree / "etc/krb5.conf", texts.controller_krb5(first))
    credentials = spec.tree / _CREDENTIALS.lstrip("/")
    password = spec.administrator_password.read_text(encoding="utf-8")
    write_secret(credentials, f"username=administrator\npassword={password}\ndomain={spec.netbios}\n".encode())
    try:
        inside.run(
            spec.tree,
            [
                *("samba-tool", "domain", "join", spec.realm, "DC"),
                f"--authentication-file={_CREDENTIALS}",
                f"--server={first.dc_host}",
                "--dns-backend=SAMBA_INTERNAL",
                f"--option=netbios name = {spec.dc_name.upper()}",
                *options(spec),
            ],
            doing=f"joining {spec.dc_host} to {spec.domain}",
        )
    finally:
        credentials.unlink()
    write(spec.tree / "etc/krb5.conf", texts.controller_krb5(spec))
    write(spec.krb5_config, texts.client_krb5([spec]))
    # It would name its own services some time after its start; nobody can bind to it by GSSAPI before.
    inside.run(spec.tree, ["samba_spnupdate"], doing="naming the controller's services")
