"""`grove auth keys …`"""

from typing import Annotated

import typer
from rich import print as show
from rich.table import Table

from grove_auth.cli.running import Yes, confirm, operate, time
from grove_auth.keys.rotation import KeyRotation
from grove_auth.keys.schemas import SigningKeyList
from grove_auth.resources import Resources

commands = typer.Typer(help="Keys that sign access tokens.", no_args_is_help=True)


@commands.command("list")
def list_keys() -> None:
    """List the published keys, newest first."""

    async def read(resources: Resources) -> SigningKeyList:
        return SigningKeyList.of(await resources.keys.published(), await resources.keys.signing())

    _show(operate(read))


@commands.command("rotate")
def rotate(
    revoke: Annotated[
        bool, typer.Option("--revoke", help="The keys so far are compromised: their tokens die within a second")
    ] = False,
    yes: Yes = False,
) -> None:
    """Sign with a new key. Without --revoke no token is refused meanwhile, and the old key goes by itself."""
    if revoke:
        confirm("Revoke all signing keys? Everybody's access token dies; sessions live on and refresh.", yes)

    async def change(resources: Resources) -> SigningKeyList:
        rotation = KeyRotation(resources)
        keys = await (rotation.revoke() if revoke else rotation.rotate())
        return SigningKeyList.of(keys, await resources.keys.signing())

    _show(operate(change))


def _show(keys: SigningKeyList) -> None:
    table = Table("id", "state", "made", "signs from", "goes")
    for key in keys.items:
        table.add_row(key.id, key.state, time(key.created_at), time(key.signs_from), time(key.retires_at))
    show(table)
