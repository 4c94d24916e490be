from __future__ import annotations

from pathlib import Path

from keytrust.lab.mounts import below

_MOUNTINFO = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:6 / /srv/lab/corp/tree/dev rw,relatime shared:2 - devtmpfs devtmpfs rw
41 40 0:24 / /srv/lab/corp/tree/dev/pts rw,relatime - devpts devpts rw
42 27 0:7 / /srv/lab/corp\\040two/tree/dev rw - devtmpfs devtmpfs rw
43 27 0:8 / /srv/lab/corporation rw - tmpfs tmpfs rw
44 27 0:9 / /srv/lab/corp rw - tmpfs tmpfs rw
short line
"""


def test_the_innermost_comes_first_and_neighbours_are_left_alone() -> None:
    assert below(Path("/srv/lab/corp"), _MOUNTINFO) == [
        Path("/srv/lab/corp"),
        Path("/srv/lab/corp/tree/dev/pts"),
        Path("/srv/lab/corp/tree/dev"),
    ]


def test_escaped_names_are_understood() -> None:
    assert below(Path("/srv/lab/corp two"), _MOUNTINFO) == [Path("/srv/lab/corp two/tree/dev")]
