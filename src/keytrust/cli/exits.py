"""The exit codes of every command, documented in docs/operate.md."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell gets to know."""

    OK = 0
    """Done, or nothing to do."""
    ERROR = 1
    """Could not be done; the message says what, and what was not done."""
    CHANGES = 2
    """``plan``: there are changes to make. ``audit``: there are findings at or above ``--fail-on``. ``doctor``: a check
    fails."""
    INCOMPLETE = 3
    """Carried out in part: removals were held back, or single changes failed or could not be confirmed. ``doctor``: no
    check fails, but one could not be told."""
    WARNINGS = 4
    """``doctor``: nothing worse than a warning."""
    USAGE = 64
    """The command was not understood."""
    INTERNAL = 70
    """A fault in keytrust itself."""
    INTERRUPTED = 130
    """Ended by a signal; what was journaled says how far it got."""
