"""`grove auth …`: works on auth's store directly, with auth's own settings."""

import asyncio
import sys
from typing import Annotated

import typer
from rich import print as show

from grove.core.errors import GroveError
from grove.core.settings import load
from grove_auth.audit.cli import audit
from grove_auth.imports.cli import import_users
from grove_auth.passwords import rules
from grove_auth.registrations.schemas import Register
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings
from grove_auth.users.service import UserService

commands = typer.Typer(help="Accounts. Works on auth's database directly.", no_args_is_help=True)
users = typer.Typer(help="Users.", no_args_is_help=True)
commands.add_typer(users, name="users")
commands.add_typer(audit, name="audit")
users.command("import")(import_users)


@users.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="Address to sign in with")],
    name: Annotated[str, typer.Option(help="Name to show")] = "Administrator",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input")] = False,
) -> None:
    """Create an administrator, the first one or another."""
    password = (
        sys.stdin.readline().rstrip("\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    settings = load(AuthSettings)
    try:
        data = Register(email=email, password=password, name=name)
        rules.check(password, settings, about=(email, name))
        asyncio.run(_create_admin(settings, data))
    except GroveError as error:
        show(f"[red]Not created:[/red] {error.message} {error.details or ''}")
        raise typer.Exit(1) from None
    show(f"[green]Created[/green] the administrator {data.email}.")


async def _create_admin(settings: AuthSettings, data: Register) -> None:
    resources = Resources(settings)
    await resources.start()
    try:
        await UserService(resources).create_admin(data.email, data.name, data.password)
    finally:
        await resources.aclose()
