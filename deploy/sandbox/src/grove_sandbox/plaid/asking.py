"""Who calls: every call but the page's is a POST with a client's id and secret."""

import secrets
from typing import Annotated

from fastapi import Depends, Request

from grove_sandbox.plaid.errors import PlaidError
from grove_sandbox.plaid.memory import Memory


async def client(request: Request) -> Memory:
    """What Plaid remembers, for a client that proved itself. Raises PlaidError."""
    memory, settings = memory_of(request), request.app.state.settings
    memory.calls[request.url.path.removeprefix("/plaid")] += 1
    given = (request.headers.get("plaid-client-id", ""), request.headers.get("plaid-secret", ""))
    right = (settings.plaid_client_id, settings.plaid_secret.get_secret_value())
    if not secrets.compare_digest("\n".join(given).encode(), "\n".join(right).encode()):
        raise PlaidError("INVALID_API_KEYS")
    return memory


def memory_of(request: Request) -> Memory:
    """What Plaid remembers, whoever asks."""
    memory: Memory = request.app.state.plaid
    return memory


Client = Annotated[Memory, Depends(client)]
