"""The memory that a program took at its peak."""

from __future__ import annotations

from pathlib import Path


def peak_megabytes(pid: int | str = "self") -> float:
    """The peak of this program alone. ``getrusage`` would count what the process that started it held at the time."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not tell the peak memory")
