"""`grove events dead …`: what could not be handled, on the running broker, with the operator's certificate."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from aio_pika.exceptions import ChannelNotFoundEntity
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from grove.contracts.catalogue import SERVICES, consumed_by
from grove.core.clock import now
from grove.core.operator import Operator, operator
from grove.messaging import topology
from grove.messaging.dead_letters import DeadLetter, DeadLetters, Told, messages_in
from grove.messaging.operator_access import Refused, broker_of, console, management, problems_said

commands = typer.Typer(help="What could not be handled. Works on the running broker.", no_args_is_help=True)
LONG = 500
"""A pass over more letters than this shows how far it is."""

Consumer = Annotated[str, typer.Argument(help="Service that consumes, such as notification")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only this letter; may be repeated")]
Queue = Annotated[str, typer.Option(help="Its queue; default: <service>.events")]


@commands.command("list")
def list_dead(
    service: Annotated[str, typer.Argument(help="Service that consumes; none: how many letters each has")] = "",
    queue: Queue = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show so many, oldest first")] = 20,
) -> None:
    """List the parked letters of a consumer, or how many each consumer has."""
    with problems_said():
        if not service:
            console.print(_counts(asyncio.run(_count(_queues(operator())))))
            return
        letters = asyncio.run(_letters(service, queue).all(limit + 1))
    for letter in letters[:limit]:
        _print(letter)
    if not letters:
        console.print(f"No dead letters in {queue or topology.queue_name(service)}.", markup=False)
    elif len(letters) > limit:
        console.print(f"There are more than {limit}: see them with --limit.")


@commands.command("show")
def show_dead(service: Consumer, letter_id: Annotated[str, typer.Argument()], queue: Queue = "") -> None:
    """Show one letter whole. It may name people; secrets in it are sealed."""
    with problems_said():
        letter = asyncio.run(_letters(service, queue).one(letter_id))
    if letter is None:
        console.print(f"No letter {letter_id} in {queue or topology.queue_name(service)}.", style="red", markup=False)
        raise typer.Exit(1)
    _print(letter)
    console.print(f"  first failed {letter.first_failed or 'unknown'}", markup=False)
    console.print(f"  last failed  {letter.last_failed or 'unknown'}\n", markup=False)
    console.print(letter.event, markup=False, soft_wrap=True)


@commands.command("replay")
def replay(service: Consumer, ids: Ids = None, queue: Queue = "") -> None:
    """Hand letters back to their consumer: all that are there, or those named by --id. Doing it twice is harmless."""
    wanted = set(ids) if ids else None
    with problems_said(), _progress("Replaying") as told:
        count = asyncio.run(_letters(service, queue).replay(wanted, told=told))
    _report("Replayed", count, wanted)


@commands.command("purge")
def purge(
    service: Consumer,
    ids: Ids = None,
    queue: Queue = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Throw letters away: all that are there, or those named by --id. They can't be had back."""
    wanted = set(ids) if ids else None
    with problems_said():
        letters = _letters(service, queue)
        there = len(wanted) if wanted else asyncio.run(_count([letters.queue]))[letters.queue]
    if not yes:
        typer.confirm(f"Throw away {there or 0} dead letters of {letters.queue}? They can't be had back.", abort=True)
    with problems_said(), _progress("Purging") as told:
        count = asyncio.run(letters.purge(wanted, told=told))
    _report("Purged", count, wanted)


def _report(done: str, count: int, wanted: set[str] | None) -> None:
    console.print(f"{done} {count}.", style="green")
    if wanted is not None and count < len(wanted):
        console.print(f"{len(wanted) - count} of the named letters are not there.", style="yellow")
        raise typer.Exit(1)


def _print(letter: DeadLetter) -> None:
    """Two lines: an id is whole on the first, however narrow the terminal, and the reason is free to wrap."""
    tries = f"{letter.attempts} {'try' if letter.attempts == 1 else 'tries'}"
    facts = f"{letter.type}  {tries}, {_age(letter.last_failed)}  of {letter.subject or 'nothing that can be read'}"
    console.print(Text.assemble((letter.id, "bold"), f"  {facts}"), soft_wrap=True)
    console.print(f"  {letter.reason}", markup=False, soft_wrap=True)


def _age(moment: str) -> str:
    try:
        seconds = max(0, int((now() - datetime.fromisoformat(moment)).total_seconds()))
    except (ValueError, TypeError):
        return "nobody knows when"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def _counts(counts: dict[str, int | None]) -> Table:
    table = Table("queue", "dead letters", box=None)
    for queue, count in counts.items():
        shown = Text("no such queue", "dim") if count is None else Text(str(count), "red" if count else "green")
        table.add_row(Text(queue), shown)
    return table


def _queues(access: Operator) -> list[str]:
    """The queues of all consumers: the catalogue's, and those of a team's own services, which the broker knows of."""
    known = {topology.queue_name(service) for service in SERVICES if consumed_by(service)}
    with management(access) as client:
        answer = client.get(f"/api/queues/{topology.VHOST}", params={"columns": "name"})
    if answer.status_code != 200:
        raise Refused(f"RabbitMQ does not tell its queues: {answer.status_code} {answer.text[:300]}")
    found = {str(row["name"]) for row in answer.json()}
    return sorted(known | {name for name in found if topology.dead_queue_name(name) in found})


async def _count(queues: list[str]) -> dict[str, int | None]:
    """Queue → its dead letters; None where there is no such queue."""
    counts: dict[str, int | None] = {}
    async with broker_of(operator()).connection() as connection:
        for queue in queues:
            channel = await connection.channel()  # each its own: asking for a queue that is not there closes it
            try:
                counts[queue] = await messages_in(channel, topology.dead_queue_name(queue))
            except ChannelNotFoundEntity:
                counts[queue] = None
    return counts


def _letters(service: str, queue: str) -> DeadLetters:
    return DeadLetters(broker_of(operator()), service, queue)


@contextmanager
def _progress(what: str) -> Iterator[Told]:
    """Shows how far a long pass is."""
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, visible=False)
        yield lambda done, there: bar.update(task, completed=done, total=there, visible=there > LONG)
