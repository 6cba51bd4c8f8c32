"""The migrate step: indexes, the first signing key, built-in roles, the feed's counter, new fields of old accounts.

Running it again changes nothing.
"""

import asyncio

from grove.core.settings import load
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings
from grove_auth.users.repository import UserRepository


def run() -> None:
    """Prepare the database."""
    asyncio.run(prepare(load(AuthSettings)))


async def prepare(settings: AuthSettings) -> None:
    """Make what is missing."""
    resources = Resources(settings)
    await resources.start(create_indexes=True)
    await resources.keys.ensure_key()
    await resources.roles.seed()
    await resources.revocations.ensure_counter()
    await UserRepository().complete()
    await resources.token_versions.ensure()
    await resources.aclose()
