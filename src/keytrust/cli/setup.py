"""``keytrust setup``: the deployment guide's steps, each shown, confirmed, journaled and undoable."""

from __future__ import annotations

import typer

from keytrust.cli import setup_history, setup_permissions, setup_pki, setup_privileged, setup_scp, setup_undo

app = typer.Typer(
    name="setup",
    no_args_is_help=True,
    help="Change the domain as the deployment guide says: each step shown, confirmed, journaled and undoable.",
)
app.command("permissions")(setup_permissions.permissions)
app.command("adminsdholder")(setup_privileged.adminsdholder)
app.command("overgrant")(setup_privileged.overgrant)
app.command("scp")(setup_scp.scp)
app.add_typer(setup_pki.app, name="pki")
app.command("undo")(setup_undo.undo)
app.command("history")(setup_history.history)
