"""Deleting what a lab wrote."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from keytrust.errors import LabError

_PATIENCE = 10.0


def remove(path: Path) -> None:
    """Delete a file or a whole directory; fine when it is not there. Symbolic links are deleted, not followed.

    A program of a build that was just killed dies a moment after it and may still write: then we delete again.

    Raises:
        LabError: it is still not empty after some seconds, or the file system refuses.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise LabError(
                f"{path} cannot be removed: {error.strerror}.",
                remedy="Find out what holds it (fuser -vm), then run `keytrust lab down` again.",
                detail=str(error),
            ) from error
        return
