"""What every command does: connect with auth's settings, act as the operator, say what went wrong, close."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError
from rich import print as show

from grove.core.context import RequestContext, use_context
from grove.core.errors import GroveError
from grove.core.ids import new_id
from grove.core.settings import load
from grove.mongo.client import MONGO_ERRORS
from grove_auth.admin.errors import UserNotFound
from grove_auth.audit.log import AuditLog
from grove_auth.models import User
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings
from grove_auth.users.repository import UserRepository

T = TypeVar("T")

Account = Annotated[str, typer.Argument(help="Address or id of the account")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask")]


def operate(work: Callable[[Resources], Awaitable[T]]) -> T:
    """Run `work` on auth's store; what it writes to the audit log names the operator. Exits with 1 when it fails."""
    settings = load(AuthSettings)
    try:
        return asyncio.run(_operate(settings, work))
    except GroveError as error:
        show(f"[red]Not done:[/red] {error.message} {error.details or ''}")
    except ValidationError as error:
        for problem in error.errors():
            show(f"[red]Not done:[/red] {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
    except MONGO_ERRORS as error:
        show(f"[red]Not done:[/red] the database at {settings.mongo_host}:{settings.mongo_port} does not answer.")
        show(f"  {type(error).__name__}")
    raise typer.Exit(1)


async def _operate(settings: AuthSettings, work: Callable[[Resources], Awaitable[T]]) -> T:
    resources = Resources(settings)
    resources.audit = AuditLog(by="operator")
    await resources.start()
    try:
        with use_context(RequestContext(request_id=str(new_id()), route="grove auth")):
            return await work(resources)
    finally:
        await resources.aclose()


async def account(address_or_id: str) -> User:
    """The account. Raises UserNotFound."""
    users = UserRepository()
    try:
        user = await users.get(UUID(address_or_id))
    except ValueError:
        user = await users.by_email(address_or_id.strip().lower())
    if user is None:
        raise UserNotFound(f"There is no account {address_or_id}.")
    return user


def confirm(question: str, yes: bool) -> None:
    """Ask, unless told not to; a no ends the command."""
    if not yes:
        typer.confirm(question, abort=True)


def time(moment: datetime | None) -> str:
    """For tables."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
