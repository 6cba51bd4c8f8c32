"""`grove stack files`: what containers mount — certificates, secrets, Traefik's, RabbitMQ's and MongoDB's files.

Run once before `docker compose up`; it writes below one folder with the same code as the local stack.
"""

import json
from pathlib import Path

from grove_stack.edge import Edge, EdgeSettings
from grove_stack.layout import Layout
from grove_stack.pki.authority import write_private
from grove_stack.servers.rabbitmq import ADVANCED, PLUGINS, first_definitions, render_config
from grove_stack.servers.valkey import access_rules
from grove_stack.services import SERVICES

INSIDE = Path("/grove")


def write_files(folder: Path) -> None:
    """Make or renew everything; keys and secrets that are there stay."""
    layout = Layout(folder)
    layout.prepare(["localhost", "auth.localhost", "api.localhost"])
    for service in SERVICES:
        for kind in ("api", "worker", "migrate"):
            layout.ensure_identity(service.name, f"{service.name}-{kind}")
    settings = EdgeSettings(
        https_port=8443,
        http_port=8080,
        ops_port=8082,
        host="0.0.0.0",  # noqa: S104 - the container publishes what shall be reachable
        servers="docker",
        development=False,
    )
    Edge(Layout(folder), settings, inside=Layout(INSIDE)).render()
    rabbitmq = layout.folder("rabbitmq")
    config = render_config(
        port="5671",
        management_ip="0.0.0.0",  # noqa: S104 - reachable on the internal network only
        management_port=15671,
        ca_file=INSIDE / "pki/internal/ca.pem",
        identity_file=INSIDE / "identity/rabbitmq/identity.pem",
        definitions_file=INSIDE / "rabbitmq/definitions.json",
    )
    write_private(rabbitmq / "rabbitmq.conf", config.encode())
    write_private(rabbitmq / "enabled_plugins", PLUGINS.encode())
    write_private(rabbitmq / "advanced.config", ADVANCED.encode())
    write_private(rabbitmq / "definitions.json", json.dumps(first_definitions(layout)).encode())
    write_private(layout.root / "operator.json", json.dumps(_operator()).encode())
    write_private(layout.folder("valkey") / "users.acl", access_rules(layout).encode())
    _let_containers_read(folder)


def _let_containers_read(folder: Path) -> None:
    """Containers run under user ids of their own, and a mounted file keeps its mode.

    So the files are readable, inside a folder that no other user of this machine may enter.
    """
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o700)


def _operator() -> dict[str, str]:
    return {
        "broker_url": "amqps://rabbitmq:5671/grove",
        "broker_management_url": "https://rabbitmq:15671",
        "broker_password_file": str(INSIDE / "secrets/operator/broker_password"),
        "identity_file": str(INSIDE / "identity/operator/identity.pem"),
        "ca_file": str(INSIDE / "pki/internal/ca.pem"),
    }
