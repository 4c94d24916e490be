"""``keytrust status``"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.text import Text

from keytrust.cli.exits import ExitCode
from keytrust.cli.options import Config, Json, Verbose, settings
from keytrust.cli.output import out, print_json
from keytrust.cli.status_view import status_view
from keytrust.errors import StoreError
from keytrust.service.overview import DomainOverview, overview_json, read_overview
from keytrust.store.database import opened_store


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep showing it, until Ctrl-C.")] = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """How keytrust run fares in each domain: who writes, what waits, how fast it is, and what a person should look at.

    Read from the store, so that it tells the same on every instance. Exits with 0 when every domain is kept in step
    and nothing is held back, 3 when not.
    """
    with opened_store(settings().store.url) as store:
        if watch and not json:
            _watch(lambda: read_overview(store))
            return
        found = read_overview(store)
    if json:
        print_json([overview_json(each) for each in found])
    else:
        out.print(status_view(found, verbose=verbose))
    well = bool(found) and all(each.alive and not each.held_count for each in found)
    raise typer.Exit(ExitCode.OK if well else ExitCode.INCOMPLETE)


def _watch(read: Callable[[], Sequence[DomainOverview]]) -> None:
    view = status_view(read())
    with suppress(KeyboardInterrupt), Live(view, console=out, screen=out.is_terminal, auto_refresh=False) as live:
        while True:
            live.update(view, refresh=True)
            time.sleep(1.0)
            view = _view_now(read)


def _view_now(read: Callable[[], Sequence[DomainOverview]]) -> RenderableType:
    """A store that is away for a while is something to be seen, not the end of watching."""
    try:
        return status_view(read())
    except StoreError as error:
        return Text(error.message, style="red")
