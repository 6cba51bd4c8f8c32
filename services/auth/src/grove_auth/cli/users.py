"""`grove auth users …`"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich import print as show
from rich.markup import escape
from rich.table import Table

from grove_auth.admin.schemas import Block, UserFilter, UserRead
from grove_auth.admin.service import AdminService
from grove_auth.api_keys.service import ApiKeyService
from grove_auth.cli.running import Account, Yes, account, confirm, operate, time
from grove_auth.models import ApiKey, Session, User
from grove_auth.passwords import rules
from grove_auth.registrations.schemas import Register
from grove_auth.resources import Resources
from grove_auth.sessions.service import SessionService
from grove_auth.users.service import UserService

commands = typer.Typer(help="Accounts.", no_args_is_help=True)


@commands.command("list")
def list_users(
    q: Annotated[str | None, typer.Option("--q", help="Only addresses that begin with this")] = None,
    role: Annotated[str | None, typer.Option(help="Only accounts with this role")] = None,
    blocked: Annotated[bool | None, typer.Option("--blocked/--not-blocked", help="Only these")] = None,
    page: Annotated[int, typer.Option(min=1, help="Which page of 100")] = 1,
) -> None:
    """List accounts, newest first."""
    wanted = UserFilter(q=q, role=role, blocked=blocked, page=page, size=100)

    async def read(resources: Resources) -> tuple[list[User], int]:
        return await AdminService(resources).page(wanted)

    users, total = operate(read)
    table = Table("id", "address", "name", "roles", "blocked", "since", caption=f"{len(users)} of {total}")
    for user in users:
        seen = UserRead.of(user)
        row = (str(user.id), user.email, user.name, ", ".join(user.roles), _block(seen), time(user.created_at))
        table.add_row(*map(escape, row))
    show(table)


@commands.command("show")
def show_user(user: Account) -> None:
    """Show one account, with how many sessions and API keys it has."""

    async def read(resources: Resources) -> tuple[User, list[Session], list[ApiKey]]:
        found = await account(user)
        sessions = await SessionService(resources).of_user(found.id)
        return found, sessions, await ApiKeyService(resources).of_user(found.id)

    found, sessions, api_keys = operate(read)
    seen = UserRead.of(found)
    table = Table("field", "value", show_header=False)
    for field, value in (
        ("id", str(found.id)),
        ("address", found.email),
        ("name", found.name),
        ("roles", ", ".join(found.roles)),
        ("blocked", _block(seen) or "no"),
        ("why", seen.block_reason or ""),
        ("token version", str(found.token_version)),
        ("sessions", str(len(sessions))),
        ("API keys", ", ".join(f"{key.name} ({key.hint}…)" for key in api_keys) or "0"),
        ("since", time(found.created_at)),
    ):
        table.add_row(field, escape(value))
    show(table)


@commands.command("create-admin")
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

    async def create(resources: Resources) -> User:
        data = Register(email=email, password=password, name=name)
        rules.check(password, resources.settings, about=(email, name))
        return await UserService(resources).create_admin(data.email, data.name, data.password)

    show(f"[green]Created[/green] the administrator {operate(create).email}.")


@commands.command("block")
def block(
    user: Account,
    reason: Annotated[str, typer.Option(help="Why; administrators read it")],
    until: Annotated[datetime | None, typer.Option(help="Until when, in UTC; default: until it is unblocked")] = None,
    yes: Yes = False,
) -> None:
    """Block an account: it can't sign in, and its tokens, sessions and API keys die within a second."""
    confirm(f"Block {user}?", yes)

    async def change(resources: Resources) -> User:
        data = Block(reason=reason, until=until.replace(tzinfo=UTC) if until else None)
        return await AdminService(resources).block(None, (await account(user)).id, data)

    show(f"[green]Blocked[/green] {operate(change).email}.")


@commands.command("unblock")
def unblock(user: Account) -> None:
    """Take a block back."""

    async def change(resources: Resources) -> User:
        return await AdminService(resources).unblock(None, (await account(user)).id)

    show(f"[green]Unblocked[/green] {operate(change).email}.")


@commands.command("revoke-sessions")
def revoke_sessions(user: Account, yes: Yes = False) -> None:
    """End all sessions of an account. Its API keys live on."""
    confirm(f"End all sessions of {user}?", yes)

    async def change(resources: Resources) -> User:
        found = await account(user)
        await AdminService(resources).revoke_sessions(None, found.id)
        return found

    show(f"[green]Ended[/green] all sessions of {operate(change).email}.")


def _block(user: UserRead) -> str:
    if not user.blocked:
        return ""
    return f"until {time(user.blocked_until)}" if user.blocked_until else "until unblocked"
