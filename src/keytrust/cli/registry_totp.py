"""``keytrust registry totp``"""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from keytrust.cli.options import Config, Json, Verbose, settings
from keytrust.cli.output import out, print_json, safe, say
from keytrust.cli.registry_database import actor, open_registry
from keytrust.errors import ConfigError, RegistryError

_NOTHING = "nothing was changed"


def totp(
    user: Annotated[str, typer.Argument(metavar="USER", help="userPrincipalName or id.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the one they have, which is then worthless.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away: they cannot sign in any more.")] = False,
    unlock: Annotated[bool, typer.Option("--unlock", help="End a lockout after too many failed tries.")] = False,
    json: Json = False,
    config: Config = None,
    verbose: Verbose = False,
) -> None:
    """Give a user a second factor for the embedded sign-in. Its secret is shown this one time.

    The user reads the otpauth URI into an authenticator app, as a QR code or by hand.
    """
    from keytrust.registry import audit, clock, inventory  # noqa: PLC0415 - slow to load
    from keytrust.registry import totp as factors  # noqa: PLC0415
    from keytrust.registry.sealing import Sealer  # noqa: PLC0415

    if replace + remove + unlock > 1:
        raise typer.BadParameter("give one of --replace, --remove and --unlock")
    registry = settings().need_registry()
    if registry.signing_keys is None:
        raise ConfigError(
            "[registry] has no signing_keys, beside which the secrets' key is kept",
            not_done=_NOTHING,
            remedy="set signing_keys and [registry.sign_in]; docs/registry.md says how",
        )
    origin = audit.Origin(actor(), clock.now())
    with closing(open_registry()) as database:
        with database.read() as connection:
            row = inventory.need_user(connection, user, not_done=_NOTHING)
        if remove or unlock:
            done = (factors.remove if remove else factors.unlock)(database, str(row.id), origin=origin)
            if not done:
                raise RegistryError(f"{row.upn} has no second factor", not_done=_NOTHING, remedy="enrol one first")
            out.print(f"{'Removed' if remove else 'Unlocked'} the second factor of {safe(row.upn)}.", soft_wrap=True)
            return
        issuer = "keytrust" if registry.sign_in is None else registry.sign_in.issuer_name
        sealer = Sealer(registry.signing_keys)
        uri = factors.enrol(
            database, sealer, str(row.id), account=row.upn, issuer=issuer, origin=origin, replace=replace
        )
    if uri is None:
        raise RegistryError(
            f"{row.upn} has a second factor already",
            not_done=_NOTHING,
            remedy="give --replace to make it worthless and issue a new one",
        )
    if json:
        print_json({"user": row.upn, "otpauth": uri})
        return
    out.print(safe(uri), soft_wrap=True)
    say(f"Hand this to {row.upn} on a safe way now: it cannot be shown again.")
