"""``keytrust setup``: the deployment guide's steps, each shown, confirmed, journaled and undoable."""

from __future__ import annotations

import typer

from keytrust.cli import setup_history, setup_undo

app = typer.Typer(
    name="setup",
    no_args_is_help=True,
    help="Change the domain as the deployment guide says: each step shown, confirmed, journaled and undoable.",
)
app.command("undo")(setup_undo.undo)
app.command("history")(setup_history.history)
