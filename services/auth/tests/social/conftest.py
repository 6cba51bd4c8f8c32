"""An issuer, and who signs in there."""

import httpx2
import pytest

from grove.core.ids import new_id
from grove.testing.http import client_of
from grove.testing.social import Issuer
from grove_auth.main import build


@pytest.fixture
async def issuer(sandbox, resources):
    async with httpx2.AsyncClient(base_url=sandbox) as http:
        yield Issuer(http)
        await http.put("/control/issuer", json={})
        await http.delete("/control/faults")
    resources.providers.get("sandbox")._client._breaker.succeeded()


@pytest.fixture
async def other_browser(settings, resources):
    async with client_of(build(settings, resources), base_url="https://auth.test") as client:
        yield client


@pytest.fixture
def login() -> str:
    return f"{new_id().hex[-10:]}@example.com"


@pytest.fixture
def reasons(audited):
    """Why sign-ins through an issuer failed, as the audit log tells."""

    async def reasons() -> list[str]:
        return [entry["detail"]["reason"] for entry in await audited("social.failed")]

    return reasons
