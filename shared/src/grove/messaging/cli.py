"""`grove events …`: talks to the running broker with the operator's certificate."""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import print as show
from rich.table import Table

from grove.contracts import asyncapi
from grove.contracts.catalogue import CATALOGUE
from grove.core.operator import Operator, operator
from grove.messaging import dead_letter_commands, topology
from grove.messaging.operator_access import Refused, management, problems_said

commands = typer.Typer(help="Events: catalogue, topology, consumers, dead letters.", no_args_is_help=True)
consumer_commands = typer.Typer(help="Consumers of a team's own services.", no_args_is_help=True)
topology_commands = typer.Typer(help="Exchanges, queues and users.", no_args_is_help=True)
commands.add_typer(dead_letter_commands.commands, name="dead")
commands.add_typer(consumer_commands, name="consumer")
commands.add_typer(topology_commands, name="topology")

SNAPSHOT = Path(__file__).parents[1] / "contracts" / "snapshot.json"


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
    with problems_said():
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
    with problems_said():
        import_definitions(operator(), definitions)
    show(f"[green]Added[/green] {topology.queue_name(service)}, bound to {', '.join(patterns)}.")
    show(f"Next: `grove pki issue {service}` for its certificate; it signs in to the broker with that.")


def import_definitions(access: Operator, definitions: dict[str, list[dict[str, Any]]]) -> None:
    """Import a definitions document through the broker's management API. Raises Refused, or httpx2.HTTPError."""
    with management(access) as client:
        answer = client.post("/api/definitions", json=definitions)
    if answer.status_code >= 300:
        raise Refused(f"RabbitMQ refused the definitions: {answer.status_code} {answer.text[:300]}")
