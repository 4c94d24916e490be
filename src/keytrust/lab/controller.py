"""The life of a domain controller: started, ready, stopped, frozen."""

from __future__ import annotations

import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import ldap

from keytrust.errors import LabError
from keytrust.lab import child, machine, processes
from keytrust.lab import tree as inside
from keytrust.lab.spec import LabSpec

_LEVEL_2016 = 7
_PATIENCE = 120.0
_POLL = 0.1
_ANSWER = 5.0
"""Seconds that a controller has for one answer before it counts as not serving."""

_LAST_WORDS = 2000


def leader(spec: LabSpec) -> int | None:
    """Id of the controller's first process, or None when it does not run."""
    try:
        pid = int(spec.pid_file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in processes.living_in(spec.tree) else None


def frozen(pid: int) -> bool:
    """Whether a process is stopped by a signal (proc(5), field 3 of stat)."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"
    return False


def serves(spec: LabSpec) -> bool:
    """Whether it answers now: every port takes connections, and LDAP says a functional level fit for key trust."""
    for port in machine.PORTS:
        try:
            socket.create_connection((spec.address, port), timeout=_ANSWER).close()
        except OSError:
            return False
    try:
        connection = ldap.initialize(f"ldap://{spec.address}")
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, _ANSWER)
        wanted = ["domainControllerFunctionality"]
        [(_, root)] = connection.search_ext_s("", ldap.SCOPE_BASE, attrlist=wanted, timeout=_ANSWER)
        connection.unbind_s()
    except ldap.LDAPError:
        return False
    return int(root["domainControllerFunctionality"][0]) >= _LEVEL_2016


def start(spec: LabSpec) -> None:
    """Start the controller and wait until it serves Kerberos and LDAP.

    Raises:
        LabError: its address is taken, it died, or it was not ready in time.
    """
    processes.kill_all(spec.tree)  # what is left of one that died
    machine.require_free_address(spec)
    inside.start(
        spec.tree,
        ["samba", "--foreground", "--no-process-group"],
        pid_file=spec.pid_file,
        log=spec.dc_log,
    )
    deadline = time.monotonic() + _PATIENCE
    seen = False
    while True:
        running = leader(spec) is not None
        if seen and not running:
            raise _not_started(spec, "The domain controller died at its start.")
        seen = seen or running
        if running and serves(spec) and _proves(spec, final=time.monotonic() > deadline):
            return
        if time.monotonic() > deadline:
            raise _not_started(spec, f"The domain controller was not ready within {_PATIENCE:.0f} s.")
        time.sleep(_POLL)


def stop(spec: LabSpec) -> None:
    """Stop the controller; fine when it does not run.

    Raises:
        LabError: a process of it survives.
    """
    # Its database is transactional, and a crash is what the tests want to see survived: no farewell is needed.
    processes.kill_all(spec.tree)
    spec.pid_file.unlink(missing_ok=True)


def pause(spec: LabSpec) -> None:
    """Freeze every process: connections are taken by the kernel and never answered.

    Raises:
        LabError: it does not run.
    """
    if processes.signal_all(spec.tree, signal.SIGSTOP) == 0:
        raise _not_running(spec)


def resume(spec: LabSpec) -> None:
    """Undo ``pause``.

    Raises:
        LabError: it does not run.
    """
    if processes.signal_all(spec.tree, signal.SIGCONT) == 0:
        raise _not_running(spec)


def await_known(spec: LabSpec, by: LabSpec) -> None:
    """Wait until another controller of the domain issues tickets for this one, which replication has to tell it of.

    Raises:
        LabError: it did not in time.
    """
    deadline = time.monotonic() + _PATIENCE
    while not _ticket(spec, by.krb5_config, check=time.monotonic() > deadline):
        time.sleep(_POLL)


def _proves(spec: LabSpec, *, final: bool) -> bool:
    """Whether the connector account gets a ticket for LDAP: the KDC, the database and the keytab fit together.

    A further controller is given time, since it names its services at its start. With ``final`` a failure is raised.
    """
    return _ticket(spec, spec.krb5_config, check=final or spec.number == 1)


def _ticket(spec: LabSpec, krb5_config: Path, *, check: bool) -> bool:
    keytab = str(spec.connector_keytab)
    done = child.run(
        ["kinit", "-k", "-t", keytab, "-c", "MEMORY:", "-S", f"ldap/{spec.dc_host}", spec.connector_principal],
        doing=f"signing in to {spec.dc_host} as the connector account",
        env={"KRB5_CONFIG": str(krb5_config), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        timeout=30,
        check=check,
    )
    return done.returncode == 0


def _not_started(spec: LabSpec, what: str) -> LabError:
    said = ""
    for log in (spec.dc_log, spec.tree / "var/log/samba/log.samba"):
        with suppress(OSError):
            said += log.read_text(encoding="utf-8", errors="replace")[-_LAST_WORDS:]
    return LabError(what, remedy="Look at the detail (-v); `keytrust lab down` and `up` start afresh.", detail=said)


def _not_running(spec: LabSpec) -> LabError:
    return LabError(
        f"The domain controller of the lab {spec.name} does not run.", remedy="Run `keytrust lab up` first."
    )
