"""``keytrust run``, and what is told to it: ``keytrust pause``, ``keytrust resume`` and ``keytrust retry``"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from keytrust.alerts.dispatcher import alerting
from keytrust.cli.options import Config, DomainLabel, Verbose, settings
from keytrust.cli.output import counted, out, safe
from keytrust.memory import keep_flat
from keytrust.service.control import set_paused, try_again
from keytrust.service.events import log_event
from keytrust.service.progress import under_systemd
from keytrust.store.database import opened_store

Named = Annotated[
    str | None, typer.Argument(metavar="DOMAIN", help="DNS name of the domain; needed when there are several.")
]


def run(domain: DomainLabel = None, config: Config = None, verbose: Verbose = False) -> None:
    """Keep the directory in step all the time, until told to stop (SIGTERM): seconds from registration to sign-in.

    Reads both sides completely when it starts and once a day, and follows the changes of both in between. What happens
    is logged as JSON lines on standard error. Several instances on one PostgreSQL store share the domains; one that
    dies is replaced within seconds.
    """
    from keytrust.cli.service_wiring import open_service  # noqa: PLC0415 - slow to load

    keep_flat()
    given = settings()
    with open_service(given, only=domain) as service, ExitStack() as stack:
        service.events.subscribe(log_event)
        if given.web is not None:
            from keytrust.web.beside import pages_beside  # noqa: PLC0415 - the web framework is slow to load

            stack.enter_context(pages_beside(service, service.store, given.web))
        stack.enter_context(alerting(given.alerts, service.events.subscribe))
        stack.enter_context(under_systemd(service))
        service.run()


def pause(domain: Named = None, config: Config = None, verbose: Verbose = False) -> None:
    """Let keytrust run leave a domain alone until it is resumed; the others go on."""
    _set(domain, paused=True)


def resume(domain: Named = None, config: Config = None, verbose: Verbose = False) -> None:
    """Let keytrust run work on a domain again: what changed meanwhile is made up for."""
    _set(domain, paused=False)


def retry(domain: Named = None, config: Config = None, verbose: Verbose = False) -> None:
    """Let keytrust run try again at once what it has set aside or held back: after the cause has been removed."""
    with opened_store(settings().store.url) as store:
        found = try_again(store, domain)
    count = found.resting + found.vanishing
    what = f"{counted(count, 'account')} tried again within seconds" if count else "nothing was set aside or held back"
    if found.vanishing:
        what += f", {found.vanishing} of them with keys that did not last"
    out.print(f"{safe(found.domain)}: {what}.")


def _set(domain: str | None, *, paused: bool) -> None:
    with opened_store(settings().store.url) as store:
        name = set_paused(store, domain, paused=paused)
    word = "paused: keytrust run stops writing there within seconds" if paused else "resumed"
    out.print(f"{safe(name)} is {word}.")
