"""The lab as its users see it: up, down, status, users, faults."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from keytrust.errors import LabError
from keytrust.lab import (
    basetree,
    controller,
    database,
    hosts,
    lock,
    machine,
    mounts,
    processes,
    provision,
    removal,
    replica,
    status,
    texts,
)
from keytrust.lab import tree as inside
from keytrust.lab import users as accounts
from keytrust.lab.spec import MOST_CONTROLLERS, LabSpec
from keytrust.lab.status import LabStatus, Phase
from keytrust.lab.users import LabUser

Report = Callable[[str], None]
"""Told in one line what is being done, or was done and in how many seconds."""

_MARKER = ".keytrust-lab"


class Lab:
    """One lab on this machine.

    Args:
        spec: Which; the default one when left out.
        cache: Where the base system is kept between labs.
    """

    def __init__(self, spec: LabSpec | None = None, cache: Path = basetree.CACHE) -> None:
        self.spec = spec or LabSpec()
        self.cache = cache

    def up(self, report: Report, dcs: int = 1, *, second_domain: bool = False) -> None:
        """Have the lab running: build it, restart it, or find it up. Whatever was left half done is done again.

        Args:
            report: Told what is done.
            dcs: Domain controllers, which replicate. Those that the lab has already are started in any case.
            second_domain: Have the lab ``spec.second`` up too, and in this one's configuration.

        Raises:
            LabError: the machine does not offer what the lab needs, the root holds something else, or a step failed.
        """
        machine.require_root()
        self.spec.dc(dcs)
        with ThreadPoolExecutor(1) as beside:
            second = beside.submit(Lab(self.spec.second, self.cache).up, report) if second_domain else None
            with self._changing(report):
                self._first_up(report)
                further = self._further_up(report, dcs)
            if second is not None:
                second.result()
            if further or second is not None:
                self._configure()

    def dc(self, number: int) -> Lab:
        """The same lab, to look at, stop and start another of its domain controllers."""
        return Lab(self.spec.dc(number), self.cache)

    @property
    def second(self) -> Lab:
        """The lab that is its second domain."""
        return Lab(self.spec.second, self.cache)

    def _first_up(self, report: Report) -> None:
        record = status.load(self.spec)
        if record is not None and not record.fits(self.spec):
            raise LabError(
                f"The lab {self.spec.name} exists with the realm {record.realm} at {record.address}.",
                not_done="Nothing was changed.",
                remedy="Take it down first, or use another name.",
            )
        began = time.monotonic()
        if record is None:
            self._build(report)
        hosts.add(lab=self.spec.hosts_mark, address=self.spec.address, host=self.spec.dc_host)
        phase = self.status().phase
        if phase is Phase.RUNNING and controller.serves(self.spec):
            report(f"the lab {self.spec.name} is up already: {self.spec.dc_host} at {self.spec.address}")
            return
        if phase is Phase.PAUSED:
            controller.resume(self.spec)
        if phase is not Phase.PAUSED or not controller.serves(self.spec):
            report("starting the domain controller")
            controller.start(self.spec)
        seconds = time.monotonic() - began
        report(f"the lab {self.spec.name} is up: {self.spec.dc_host} at {self.spec.address} ({seconds:.1f} s)")

    def _further_up(self, report: Report, dcs: int) -> bool:
        """Have further domain controllers up; whether there is one that was not there before."""
        known = {each.number for each in status.replicas(self.spec)}
        wanted = known | set(range(2, dcs + 1))
        for number in sorted(wanted):
            replica.bring_up(self.spec.dc(number), self.cache, report)
        return wanted != known

    def _configure(self) -> None:
        """Write the configuration files anew, for what there is now."""
        every = [self.spec, *status.replicas(self.spec)]
        second = self.spec.second if status.load(self.spec.second) is not None else None
        provision.write(self.spec.krb5_config, texts.client_krb5(every))
        provision.write(self.spec.config, texts.keytrust_toml(every, second))

    def down(self, report: Report, purge: bool = False) -> None:
        """Remove every trace of the lab, its second domain included: processes, mounts, files, lines in the hosts file.

        Fine when there is none.

        Args:
            report: Told what is done.
            purge: Remove the cached base system too.

        Raises:
            LabError: the root is not a lab's, or something cannot be removed; running it again is safe.
        """
        machine.require_root()
        with self._changing(report, leave=True):
            every = [self.spec.dc(number) for number in range(1, MOST_CONTROLLERS + 1)]
            killed = sum(processes.kill_all(each.tree) for each in every)
            existed = self.spec.root.exists()
            self._remove_root()
            for each in every:
                hosts.remove(lab=each.hosts_mark)
            if killed or existed:
                report(f"the lab {self.spec.name} is down: {killed} processes ended, {self.spec.root} removed")
            else:
                report(f"the lab {self.spec.name} is not there")
        if self.spec.second.root.exists():
            self.second.down(report)
        if purge:
            basetree.purge(self.cache, report)
            report(f"the cached base system in {self.cache} is removed")

    def status(self) -> LabStatus:
        """What there is of the lab now."""
        return status.observe(self.spec)

    def add_users(self, users: Iterable[LabUser]) -> None:
        """Make users, all or none.

        Raises:
            LabError: the directory refused one (it exists already, its OU does not).
        """
        records = accounts.adding(users, base_dn=self.spec.base_dn, domain=self.spec.domain)
        self.apply_ldif(records, doing="making users")

    def delete_users(self, users: Iterable[LabUser]) -> None:
        """Delete users, all or none.

        Raises:
            LabError: the directory refused one (it does not exist).
        """
        self.apply_ldif(accounts.deleting(users, base_dn=self.spec.base_dn), doing="deleting users")

    def apply_ldif(self, records: str, *, doing: str = "changing the directory", relax: bool = False) -> None:
        """Apply LDIF change records to the database directly, as the system, in one transaction.

        Raises:
            LabError: there is no lab, or the directory refused it.
        """
        self._require_built()
        database.modify(self.spec.tree, records, doing=doing, relax=relax)

    def run(
        self, args: Sequence[str], input: str | None = None, *, check: bool = True, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside the domain controller's tree, such as ``samba-tool`` or its ``python3``.

        Args:
            args: Program and arguments; paths are the tree's.
            input: Standard input.
            check: Raise when it fails.
            timeout: Seconds until it is killed.

        Raises:
            LabError: there is no lab, or the program failed (with ``check``) or was too slow.
        """
        self._require_built()
        return inside.run(
            self.spec.tree,
            args,
            doing=f"running {args[0]} in the lab {self.spec.name}",
            text=input,
            timeout=timeout,
            check=check,
        )

    def start_dc(self) -> None:
        """Start the domain controller and wait until it serves; fine when it runs.

        Raises:
            LabError: there is no lab, or it does not start.
        """
        self._require_built()
        if controller.leader(self.spec) is None:
            controller.start(self.spec)

    def stop_dc(self) -> None:
        """End the domain controller at once, as a crash would; its data stay."""
        controller.stop(self.spec)

    def pause_dc(self) -> None:
        """Freeze the domain controller: it takes connections and never answers.

        Raises:
            LabError: it does not run.
        """
        controller.pause(self.spec)

    def resume_dc(self) -> None:
        """Undo ``pause_dc``.

        Raises:
            LabError: it does not run.
        """
        controller.resume(self.spec)

    def _build(self, report: Report) -> None:
        if self.spec.root.exists():
            report("removing what a build that was cut short left behind")
            processes.kill_all(self.spec.tree)
            self._remove_root()
        machine.require(self.spec, self.cache)
        machine.require_free_address(self.spec)
        self.spec.root.mkdir(parents=True, mode=0o755)
        (self.spec.root / _MARKER).touch()
        basetree.unpack(self.cache, self.spec.tree, report)
        provision.provision(self.spec, report)
        status.save(self.spec)

    def _remove_root(self) -> None:
        root = self.spec.root
        if not root.exists():
            return
        if any(root.iterdir()) and not (root / _MARKER).exists():
            raise LabError(
                f"{root} holds something that is not a lab.",
                not_done="Nothing in it was touched.",
                remedy="Give the lab another root, or empty that directory yourself.",
            )
        mounts.unmount(root)
        # The marker goes last: until then a removal that is cut short can be taken up again.
        for entry in root.iterdir():
            if entry.name != _MARKER:
                removal.remove(entry)
        (root / _MARKER).unlink(missing_ok=True)
        root.rmdir()

    def _require_built(self) -> None:
        if status.load(self.spec) is None:
            raise LabError(f"The lab {self.spec.name} is not there.", remedy="Run `keytrust lab up` first.")

    @contextmanager
    def _changing(self, report: Report, *, leave: bool = False) -> Iterator[None]:
        def waiting() -> None:
            report(f"waiting for another process that changes the lab {self.spec.name}")

        with lock.exclusive(self.spec.lock, waiting, remove=leave):
            yield
