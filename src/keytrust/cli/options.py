"""Options that several commands share, and what they set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from keytrust import config
from keytrust.config import Settings


@dataclass(slots=True)
class _Given:
    """What the user gave anywhere on the command line."""

    config: Path | None = None
    verbose: bool = False


given = _Given()


def settings() -> Settings:
    """The configuration that the user named, or the usual one.

    Raises:
        ConfigError: there is none, or it is mistaken.
    """
    return config.load(given.config)


def _remember_config(path: Path | None) -> Path | None:
    given.config = path or given.config
    return path


def _remember_verbose(verbose: bool) -> bool:
    given.verbose = verbose or given.verbose
    return verbose


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="Configuration file (default: $KEYTRUST_CONFIG, else keytrust.toml here or in /etc/keytrust).",
        callback=_remember_config,
        show_default=False,
    ),
]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show the detail behind an error.", callback=_remember_verbose),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
AllowRemovals = Annotated[
    int | None,
    typer.Option(
        "--allow-removals",
        metavar="N",
        min=0,
        help="Raise the limit on removals (of each domain) to N for this run, after a look at what is held back.",
        show_default=False,
    ),
]
DomainLabel = Annotated[
    str | None,
    typer.Option(
        "--domain",
        metavar="LABEL",
        help="Only this one of the configured domains, by its label or DNS name.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before changing anything.")]
