"""How the `grove` command speaks to the broker, as its operator."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import typer
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError
from rich.console import Console

from grove.core.operator import Operator
from grove.messaging import topology
from grove.messaging.broker import BROKER_ERRORS, Broker
from grove.security.mtls import TlsMaterial

console = Console(highlight=False)


def broker_of(access: Operator) -> Broker:
    """The broker, signed in as the operator."""
    return Broker(access.broker_url, TlsMaterial(access.identity_file, access.ca_file), "grove-command")


def management(access: Operator) -> httpx2.Client:
    """A client of the broker's management API, signed in as the operator."""
    context = ssl.create_default_context(cafile=str(access.ca_file))
    context.load_cert_chain(access.identity_file)
    password = access.broker_password_file.read_text(encoding="utf-8").strip()
    return httpx2.Client(
        base_url=access.broker_management_url,
        verify=context,
        auth=(topology.OPERATOR, password),
        timeout=30,
        trust_env=False,
    )


class Refused(Exception):
    """RabbitMQ answers, and will not do it."""


@contextmanager
def problems_said() -> Iterator[None]:
    """What an operator can do something about is a sentence, not a traceback."""
    try:
        yield
    except (FileNotFoundError, Refused) as problem:
        said = str(problem)
    except ChannelNotFoundEntity as missing:
        said = f"There is no such queue: {missing}. `grove events dead list` shows all."
    except DeliveryError:
        said = "The consumer's queue takes no more now, or is not bound. What was not handed back is still parked."
    except (*BROKER_ERRORS, httpx2.HTTPError) as lost:
        said = (
            f"RabbitMQ can't be reached, or ended the connection ({str(lost) or type(lost).__name__}). "
            "Nothing is lost; do it again when it is back."
        )
    else:
        return
    console.print(said, style="red", markup=False)
    raise typer.Exit(1)
