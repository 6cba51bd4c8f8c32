"""`grove events …`: talks to the running broker with the operator's certificate."""

import asyncio
import json
import re
import ssl
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich import print as show
from rich.table import Table

from grove.contracts import asyncapi
from grove.contracts.catalogue import CATALOGUE
from grove.core.operator import Operator, operator
from grove.messaging import topology
from grove.messaging.broker import Broker
from grove.messaging.dead_letters import DeadLetters
from grove.security.mtls import TlsMaterial

commands = typer.Typer(help="Events: catalogue, topology, consumers, dead letters.", no_args_is_help=True)
dead = typer.Typer(help="What could not be handled. Works on the running broker.", no_args_is_help=True)
consumer_commands = typer.Typer(help="Consumers of a team's own services.", no_args_is_help=True)
topology_commands = typer.Typer(help="Exchanges, queues and users.", no_args_is_help=True)
commands.add_typer(dead, name="dead")
commands.add_typer(consumer_commands, name="consumer")
commands.add_typer(topology_commands, name="topology")

SNAPSHOT = Path(__file__).parents[1] / "contracts" / "snapshot.json"

Consumer = Annotated[str, typer.Argument(help="Service that consumes, such as notification")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="Only this letter; may be repeated")]
Queue = Annotated[str, typer.Option(help="Its queue; default: <service>.events")]


@commands.command("list")
def list_events() -> None:
    """The catalogue: every event, its publisher and its consumers."""
    table = Table("event", "from", "to", "what happened")
    for published in CATALOGUE:
        what = (published.model.__doc__ or "").splitlines()[0]
        table.add_row(published.type, published.publisher, ", ".join(published.consumers), what)
    show(table)


@commands.command("snapshot")
def snapshot() -> None:
    """Store the schemas of all events; the contract test compares with these."""
    SNAPSHOT.write_text(json.dumps(asyncapi.schemas(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    show(f"Stored {len(CATALOGUE)} schemas in {SNAPSHOT.name}.")


@topology_commands.command("apply")
def apply_topology() -> None:
    """Declare the whole catalogue's topology on the broker; doing it again changes nothing."""
    import_definitions(operator(), topology.definitions())
    show("[green]Declared[/green] the catalogue's exchanges, queues, bindings and users.")


@topology_commands.command("show")
def show_topology() -> None:
    """Print the topology as a RabbitMQ definitions document."""
    print(json.dumps(topology.definitions(), indent=2))  # noqa: T201 - for a file


@consumer_commands.command("add")
def add_consumer(
    service: Annotated[str, typer.Argument(help="Name of your service: its queue is <service>.events")],
    bind: Annotated[list[str], typer.Option(help="Event type or pattern, such as 'resource.task.*'; may be repeated")],
) -> None:
    """Make queue, delay ladder, dead-letter queue, bindings and broker user of a service."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{1,40}", service):
        raise typer.BadParameter("a service's name has small letters, digits and dashes")
    # An event type ends in its version, so a pattern of the facts alone means every version.
    patterns = [pattern if re.search(r"(\.v\d+|#)$", pattern) else f"{pattern}.#" for pattern in bind]
    definitions = topology.merge([topology.user(service), topology.consumer(service, patterns)])
    import_definitions(operator(), definitions)
    show(f"[green]Added[/green] {topology.queue_name(service)}, bound to {', '.join(patterns)}.")
    show(f"Next: `grove pki issue {service}` for its certificate; it signs in to the broker with that.")


@dead.command("list")
def list_dead(service: Consumer, queue: Queue = "") -> None:
    """List the parked letters of a consumer."""
    table = Table("id", "event", "tries", "last failed", "reason")
    for letter in asyncio.run(_letters(service, queue).all()):
        table.add_row(letter.id, letter.type, str(letter.attempts), letter.last_failed, letter.reason[:120])
    show(table)


@dead.command("show")
def show_dead(service: Consumer, letter_id: Annotated[str, typer.Argument()], queue: Queue = "") -> None:
    """Show one letter whole."""
    for letter in asyncio.run(_letters(service, queue).all(10_000)):
        if letter.id == letter_id:
            show({"reason": letter.reason, "first_failed": letter.first_failed, "event": letter.body})
            return
    show(f"[red]No letter[/red] {letter_id} in {queue or topology.queue_name(service)}.")
    raise typer.Exit(1)


@dead.command("replay")
def replay(service: Consumer, ids: Ids = None, queue: Queue = "") -> None:
    """Hand letters back to their consumer: all, or those named by --id."""
    count = asyncio.run(_letters(service, queue).replay(set(ids) if ids else None))
    show(f"[green]Replayed[/green] {count}.")


@dead.command("purge")
def purge(
    service: Consumer,
    ids: Ids = None,
    queue: Queue = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Throw letters away: all, or those named by --id. They can't be had back."""
    if not yes:
        typer.confirm(f"Throw away {'these' if ids else 'all'} dead letters of {service}?", abort=True)
    show(f"Purged {asyncio.run(_letters(service, queue).purge(set(ids) if ids else None))}.")


def import_definitions(access: Operator, definitions: dict[str, list[dict[str, Any]]]) -> None:
    """Import a definitions document through the broker's management API. Raises RuntimeError when refused."""
    context = ssl.create_default_context(cafile=str(access.ca_file))
    context.load_cert_chain(access.identity_file)
    password = access.broker_password_file.read_text(encoding="utf-8").strip()
    with httpx2.Client(verify=context, timeout=30, trust_env=False) as client:
        answer = client.post(
            f"{access.broker_management_url}/api/definitions", json=definitions, auth=(topology.OPERATOR, password)
        )
    if answer.status_code >= 300:
        raise RuntimeError(f"RabbitMQ refused the definitions: {answer.status_code} {answer.text[:300]}")


def _letters(service: str, queue: str) -> DeadLetters:
    access = operator()
    broker = Broker(access.broker_url, TlsMaterial(access.identity_file, access.ca_file), "grove-command")
    return DeadLetters(broker, service, queue or topology.queue_name(service))
