"""What became of each change of a run so far, kept for the report and passed on to the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from keytrust.sync.journal import Journal, Outcome
from keytrust.sync.model import Change
from keytrust.sync.report import Result


class Bookkeeping:
    """One run's changes by their index.

    Attributes:
        results: What is known of each.
        confirmed_at: Where each was seen when read back: the domain controller's name.
    """

    def __init__(self, changes: Sequence[Change], journal: Journal, run: str, progress: Callable[[int], None]) -> None:
        self._changes = changes
        self._journal = journal
        self._run = run
        self._progress = progress
        self._intents: list[int] = []
        self._intended_at: list[str] = []
        self._unjournaled: list[tuple[int, Outcome, str]] = []
        self.results: dict[int, Result] = {}
        self.confirmed_at: dict[int, str] = {}

    def intend(self, server: str, chunk: Sequence[Change]) -> None:
        """Have the journal hold the next changes, and what became of earlier ones.

        Raises:
            StoreError: it could not be; none of the chunk may be sent.
        """
        self._intents += self._journal.intend(self._run, server, chunk)
        self._intended_at += [server] * len(chunk)
        self.write()

    def confirm(self, index: int, server: str) -> None:
        """The change was seen at this domain controller. The first sight counts; a later one elsewhere is noted."""
        self.confirmed_at[index] = server
        if index not in self.results:
            moved = server != self._intended_at[index]
            self.conclude(index, Outcome.CONFIRMED, f"written on {server}" if moved else "", server)

    def conclude(self, index: int, outcome: Outcome, detail: str, server: str = "") -> None:
        """This is what became of the change; said once, and final."""
        if index in self.results:
            return
        self.results[index] = Result(self._changes[index], outcome, detail, server)
        self._unjournaled.append((self._intents[index], outcome, detail))
        self._progress(len(self.results))

    def write(self) -> None:
        """Pass on to the journal what it does not know yet."""
        done, self._unjournaled = self._unjournaled, []
        self._journal.conclude(self._run, done)

    def settle(self, unheard: Iterable[int]) -> None:
        """The run is over: of the rest, say that it was not sent, or (of ``unheard``) that nobody knows."""
        for index in unheard:
            # Sent once and not heard of: the journal keeps no outcome, which says just that.
            self.results.setdefault(
                index, Result(self._changes[index], Outcome.UNCONFIRMED, "its outcome is not known")
            )
        for index, intent in enumerate(self._intents):
            if index not in self.results:
                self._unjournaled.append((intent, Outcome.NOT_SENT, ""))
        self.write()

    def report(self, stopped: str) -> tuple[Result, ...]:
        """One result for each change, in their order."""
        for index, change in enumerate(self._changes):
            self.results.setdefault(index, Result(change, Outcome.NOT_SENT, stopped))
        return tuple(self.results[index] for index in range(len(self._changes)))
