"""An api process that uploads one photo: `python upload_process.py <user id> <picture> <state folder>`."""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from grove.testing.http import client_of
from grove.testing.tokens import AUDIENCE, ISSUER, Issuer, OpenGate
from grove.web.auth import Authenticator
from grove_resource.main import build
from grove_resource.resources import Resources
from grove_resource.settings import ResourceSettings
from grove_stack.testing.plugin import Stores


async def main(user_id: UUID, picture: bytes, state: Path) -> None:
    settings = Stores(state).settings(
        ResourceSettings, public_auth_url=ISSUER, public_api_url=AUDIENCE, limits="development"
    )
    resources, issuer = Resources(settings), Issuer()
    app = build(settings, resources)
    app.state.authenticator = Authenticator(issuer.verifier(), OpenGate(), resources.limiter)
    async with client_of(app) as client:
        files = {"file": ("a.png", picture, "image/png")}
        answer = await client.post("/api/v1/profile/upload-photo", files=files, headers=issuer.headers(user_id))
    sys.exit(0 if answer.status_code == 200 else 1)


if __name__ == "__main__":
    asyncio.run(main(UUID(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Path(sys.argv[3])))
