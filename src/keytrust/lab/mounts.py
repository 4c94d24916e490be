"""File systems mounted below a directory. The lab mounts in private namespaces; these are leftovers of other hands.

They must go before the directory is deleted, or deleting would reach into what is mounted there.
"""

from __future__ import annotations

import re
from pathlib import Path

from keytrust.errors import LabError
from keytrust.lab import child

_MOUNTINFO = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_MOST_LAYERS = 64


def below(directory: Path, mountinfo: str) -> list[Path]:
    """Mount points at or below ``directory``, innermost first, from the text of ``/proc/self/mountinfo`` (proc(5))."""
    points = []
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) < 5:
            continue
        point = Path(_ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), fields[4]))
        if point == directory or directory in point.parents:
            points.append(point)
    return points[::-1]


def mounted(directory: Path) -> list[Path]:
    """Mount points at or below ``directory`` now, innermost first."""
    return below(directory, _MOUNTINFO.read_bytes().decode("utf-8", "surrogateescape"))


def unmount(directory: Path) -> list[Path]:
    """Unmount everything at or below ``directory``; returns what was there.

    Raises:
        LabError: something stays mounted.
    """
    gone: list[Path] = []
    for _ in range(_MOST_LAYERS):  # one at a time: a layer may hide another
        points = mounted(directory)
        if not points:
            return gone
        child.run(["umount", "--lazy", "--", str(points[0])], doing=f"unmounting {points[0]}")
        gone.append(points[0])
    raise LabError(
        f"Something keeps being mounted below {directory}.",
        not_done="The lab was not removed, so that nothing mounted there is deleted.",
        remedy=f"Unmount it by hand (findmnt -R {directory}), then run `keytrust lab down` again.",
    )
