"""``keytrust run``: every configured domain kept in step, each by whichever instance holds its lease."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from keytrust.database import writing
from keytrust.directory.domain import Domain
from keytrust.directory.settings import DirectorySettings
from keytrust.errors import KeytrustError, StoreError
from keytrust.log import logger
from keytrust.service.duty import Duty
from keytrust.service.events import Event, EventKind, Events
from keytrust.service.mirror import Mirror
from keytrust.service.reading import Opener
from keytrust.service.settings import ServiceSettings
from keytrust.service.sharing import Generosity, Presence, somebody_stands_idle
from keytrust.service.source import ChangingSource
from keytrust.service.term import Term
from keytrust.store.database import store_faults
from keytrust.store.holder import holder_name
from keytrust.store.lease import Lease, acquire, holder_of
from keytrust.sync.policy import Policy

_ATTEMPT_SECONDS = 0.5
"""How often the lease of a domain is asked for while somebody else has it."""
_LONGEST_PAUSE = 15.0
_SHARE_SECONDS = 5.0
"""How often an instance looks whether another one has nothing to do."""
_COURTESY_SECONDS = 1.2
"""An instance that writes to a domain already lets others go first for another one, so that domains spread."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What the service works with.

    Attributes:
        domains: The configured domains by label.
        source: Where keys are registered.
        read_users: Reads everybody from there, in whichever process it is called.
        store: The store.
        policy: What the operator allows.
        settings: How the service works.
        poll_seconds: How often the cloud is asked.
        stop: Set when the service is to end.
    """

    domains: Mapping[str, DirectorySettings]
    source: ChangingSource
    read_users: Opener
    store: Engine
    policy: Policy
    settings: ServiceSettings
    poll_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)


class Service:
    """Keeps domains in step until told to stop. Others plug in at ``events`` and ``wake``.

    Attributes:
        events: What happens; subscribe before ``run``.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self.events = Events()
        self._stop = plant.stop
        self._terms: dict[str, Term] = {}
        self._sharing = threading.Lock()
        self._generosity = Generosity()
        self._threads = {
            label: threading.Thread(target=self._serve, args=(label,), name=f"domain {label}", daemon=True)
            for label in plant.domains
        }

    def run(self) -> None:
        """Serve until ``stop`` is called, or SIGTERM or Ctrl-C comes; then bring what is under way to its end."""
        for thread in self._threads.values():
            thread.start()
        try:
            while not self._stop.wait(0.5):
                pass
        except KeyboardInterrupt:
            logger().info("told to stop")
        finally:
            self.stop()
            for thread in self._threads.values():
                thread.join(30)

    def stop(self) -> None:
        """End soon; may be called from any thread."""
        self._stop.set()

    @property
    def store(self) -> Engine:
        """The store it works with."""
        return self._plant.store

    def wake(self) -> None:
        """The cloud has said that somebody changed: ask it now."""
        for term in list(self._terms.values()):
            term.wake_cloud()

    def terms(self) -> dict[str, Term]:
        """The domains whose writer this instance is now, by label."""
        return dict(self._terms)

    # -- one domain ---------------------------------------------------------------------------------------------

    def _serve(self, label: str) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                self._stand_for(label)
                failures = 0
            except KeytrustError as error:
                failures += 1
                self._tell_failed(label, error.told, failures)
            except Exception as error:  # this domain's trouble must not become the others'
                failures += 1
                logger().error("internal fault", domain=label, exc_info=error)
                self._tell_failed(label, f"internal fault: {type(error).__name__}", failures)
            pause = min(_LONGEST_PAUSE, 2.0**failures) if failures else _ATTEMPT_SECONDS
            self._stop.wait(pause * random.uniform(0.75, 1.0))  # noqa: S311 - jitter, not a secret

    def _stand_for(self, label: str) -> None:
        """Stand ready, and serve a term whenever the lease is to be had."""
        plant = self._plant
        with Domain(plant.domains[label]) as domain:
            name, sid = domain.name, domain.sid
        with store_faults(plant.store), writing(plant.store) as connection:
            mirror = Mirror.open(connection, domain_sid=sid, name=name, source=plant.source.name)
        self._tell_standing_by(name, sid)
        with Presence(plant.store, sid) as presence:
            while not self._stop.is_set():
                if self._terms:
                    self._stop.wait(_COURTESY_SECONDS)
                paused = self._is_paused(mirror)
                presence.show(idle=not self._terms and not paused)
                if not paused and not self._stop.is_set() and not self._generosity.abstains(label):
                    lease = acquire(plant.store, sid, holder_name("keytrust run"))
                    if lease is not None:
                        presence.show(idle=False)
                        self._serve_term(label, name, sid, mirror, lease)
                self._stop.wait(_ATTEMPT_SECONDS * random.uniform(0.75, 1.0))  # noqa: S311

    def _tell_standing_by(self, name: str, sid: str) -> None:
        holder = holder_of(self._plant.store, sid)
        sentence = f"Ready for {name}; the writer is {holder or 'nobody yet'}."
        self.events.publish(Event(EventKind.STANDING_BY, name, sentence, data={"holder": holder}))

    def _is_paused(self, mirror: Mirror) -> bool:
        with store_faults(self._plant.store), self._plant.store.connect() as connection:
            return bool(mirror.header(connection)["paused"])

    def _serve_term(self, label: str, name: str, sid: str, mirror: Mirror, lease: Lease) -> None:
        plant = self._plant
        holder = holder_name("keytrust run")
        duty = Duty(
            domain=name,
            domain_sid=sid,
            source=plant.source,
            store=plant.store,
            policy=plant.policy,
            settings=plant.settings,
            events=self.events,
            lease=lease,
            mirror=mirror,
        )
        duty.tell(EventKind.LEASE_GAINED, f"This instance is the writer for {name}.", holder=holder)
        term = Term(duty, plant.domains[label], plant.poll_seconds, plant.read_users)
        self._terms[label] = term
        watcher = threading.Thread(target=self._watch_over, args=(label, duty, term), daemon=True)
        watcher.start()
        try:
            term.serve()
        finally:
            del self._terms[label]
            lost = not lease.held()
            lease.release()
            why = "it was told to stop, or the domain is paused"
            if lost:
                why = "another instance has taken over"
            elif self._generosity.abstains(label):
                why = "given up to an instance that had nothing to do"
            duty.tell(EventKind.LEASE_LOST if lost else EventKind.LEASE_RELEASED, f"{name}: {why}.", holder=holder)

    def _watch_over(self, label: str, duty: Duty, term: Term) -> None:
        """End a term when the service ends, or when somebody else had better go on with it."""
        asked = time.monotonic()
        while not duty.stop.is_set():
            if self._stop.wait(0.2):
                duty.stop.set()
            elif time.monotonic() - asked > _SHARE_SECONDS:
                asked = time.monotonic()
                if self._gives_up(label, duty, term):
                    duty.stop.set()

    def _gives_up(self, label: str, duty: Duty, term: Term) -> bool:
        def wanted() -> bool:
            return somebody_stands_idle(duty.store, duty.domain_sid)

        try:
            with self._sharing:
                return self._generosity.gives(label, domains=len(self._terms), idle=term.is_idle(), wanted=wanted)
        except StoreError:
            return False  # the worker meets it too, and reports it

    def _tell_failed(self, label: str, fault: str, failures: int) -> None:
        sentence = f"{label}: {fault}"
        self.events.publish(
            Event(EventKind.FEED_FAILED, label, sentence, data={"feed": "domain", "failures": failures, "pause": None})
        )
