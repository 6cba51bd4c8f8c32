"""A user for a benchmark."""

import ssl
from typing import Any

import httpx2

from grove.core.ids import new_id
from grove_stack.loopback import LoopbackTransport
from grove_stack.plan import Plan


async def headers(plan: Plan, suite: dict[str, Any], context: ssl.SSLContext) -> dict[str, str]:
    """A new user's."""
    email = f"bench-{new_id()}@grove.example"
    await plan.create_admin(email)
    async with httpx2.AsyncClient(transport=LoopbackTransport(verify=context), timeout=20) as client:
        login = await client.post(f"{suite['auth_url']}/api/v1/auth/login", json={**suite["admin"], "email": email})
    return {"Authorization": f"Bearer {login.json()['access_token']}"}
