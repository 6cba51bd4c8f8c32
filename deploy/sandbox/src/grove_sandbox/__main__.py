"""`python -m grove_sandbox`: serve on SANDBOX_PORT."""

import uvicorn

from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings


def main() -> None:
    """Serve until stopped."""
    settings = SandboxSettings()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
