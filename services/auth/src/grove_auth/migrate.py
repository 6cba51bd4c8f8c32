"""The migrate step: indexes, the first signing key, the feed's counter. Running it again changes nothing."""

import asyncio

from grove.core.settings import load
from grove_auth.resources import Resources
from grove_auth.settings import AuthSettings


def run() -> None:
    """Prepare the database."""
    asyncio.run(prepare(load(AuthSettings)))


async def prepare(settings: AuthSettings) -> None:
    """Make what is missing."""
    resources = Resources(settings)
    await resources.start(create_indexes=True)
    await resources.keys.ensure_key()
    await resources.revocations.ensure_counter()
    await resources.token_versions.ensure()
    await resources.aclose()
