"""What is known of a lab, on disk and right now."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from keytrust.lab import controller, hosts, mounts, processes
from keytrust.lab.spec import MOST_CONTROLLERS, LabSpec


class Phase(StrEnum):
    """How far a lab has got."""

    ABSENT = "absent"
    HALF_BUILT = "half built"
    STOPPED = "stopped"
    PAUSED = "paused"
    RUNNING = "running"


@dataclass(frozen=True)
class Record:
    """What the state file says: which domain the tree holds, and since when it is complete (seconds since 1970)."""

    realm: str
    netbios: str
    address: str
    created: float

    def fits(self, spec: LabSpec) -> bool:
        """Whether the tree holds the domain that ``spec`` asks for."""
        return (self.realm, self.netbios, self.address) == (spec.realm, spec.netbios, spec.address)


@dataclass(frozen=True)
class LabStatus:
    """A lab at one moment.

    Attributes:
        name: Its name.
        phase: How far it has got.
        pid: The domain controller's first process, when it runs.
        processes: How many processes live in its tree.
        address: Its loopback address.
        dc_host: Its domain controller's name.
        root: Its directory.
        mounts: File systems mounted below the root; none is normal.
        in_hosts: Whether the hosts file has its line.
        age: Seconds since it was made, when it is complete.
    """

    name: str
    phase: Phase
    pid: int | None
    processes: int
    address: str
    dc_host: str
    root: Path
    mounts: tuple[Path, ...]
    in_hosts: bool
    age: float | None

    @property
    def running(self) -> bool:
        """Whether the domain controller runs and is not frozen."""
        return self.phase is Phase.RUNNING


def save(spec: LabSpec) -> None:
    """Record that the tree is complete. Until this file is there, the tree counts as half built."""
    record = Record(realm=spec.realm, netbios=spec.netbios, address=spec.address, created=time.time())
    partial = spec.state.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record)), encoding="utf-8")
    partial.replace(spec.state)


def load(spec: LabSpec) -> Record | None:
    """The record, or None when there is none that can be understood: the tree is then rebuilt."""
    try:
        said = json.loads(spec.state.read_text(encoding="utf-8"))
        return Record(str(said["realm"]), str(said["netbios"]), str(said["address"]), float(said["created"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def as_built(spec: LabSpec) -> LabSpec:
    """The lab of this name and root as it was really made; ``spec`` itself when there is none."""
    record = load(spec)
    return spec if record is None else replace(spec, realm=record.realm, netbios=record.netbios, address=record.address)


def replicas(spec: LabSpec) -> list[LabSpec]:
    """The further domain controllers of a lab that have been made."""
    further = (spec.dc(number) for number in range(2, MOST_CONTROLLERS + 1))
    return [each for each in further if load(each) is not None]


def observe(spec: LabSpec) -> LabStatus:
    """Look at the lab now. Changes nothing and needs no lock."""
    pid = controller.leader(spec)
    record = load(spec)
    return LabStatus(
        name=spec.name,
        phase=_phase(spec, record, pid),
        pid=pid,
        processes=len(processes.living_in(spec.tree)),
        address=spec.address,
        dc_host=spec.dc_host,
        root=spec.root,
        mounts=tuple(mounts.mounted(spec.root)),
        in_hosts=hosts.has_entry(spec.hosts_mark),
        age=None if record is None else time.time() - record.created,
    )


def _phase(spec: LabSpec, record: Record | None, pid: int | None) -> Phase:
    if record is None:
        return Phase.HALF_BUILT if spec.root.exists() else Phase.ABSENT
    if pid is None:
        return Phase.STOPPED
    return Phase.PAUSED if controller.frozen(pid) else Phase.RUNNING
