"""RabbitMQ: Debian's or Homebrew's package, run as any user, mTLS only."""

import json
import shutil
import ssl
from pathlib import Path

import aio_pika
import httpx2
from aiormq.exceptions import AMQPError

from grove.messaging import topology
from grove_stack.layout import Layout, broker_password_hash
from grove_stack.process import ProcessSpec, StepFailed

PLUGINS = "[rabbitmq_auth_mechanism_ssl,rabbitmq_management]."
ADVANCED = "[{rabbit,[{dead_letter_worker_publisher_confirm_timeout,5000}]}].\n"


def server_script() -> Path | None:
    """The package's start script, which unlike the one in PATH does not insist on its own user."""
    known = [
        Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
        Path("/opt/homebrew/sbin/rabbitmq-server"),
        Path("/usr/local/sbin/rabbitmq-server"),
    ]
    return next((path for path in known if path.exists()), None)


def epmd() -> str | None:
    """Erlang's port mapper."""
    found = shutil.which("epmd")
    return found or next((str(p) for p in Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), None)


class RabbitMq:
    """The broker of a stack."""

    def __init__(
        self, layout: Layout, *, port: int, management_port: int, distribution_port: int, epmd_port: int
    ) -> None:
        self._layout = layout
        self.port = port
        self.management_port = management_port
        self._distribution_port = distribution_port
        self._epmd_port = epmd_port

    def epmd_spec(self) -> ProcessSpec:
        """The port mapper, in the foreground: one started by the broker would outlive everything."""
        return ProcessSpec(
            name="epmd",
            command=[epmd() or "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"],
            probe=_always_ready,
            address=f"127.0.0.1:{self._epmd_port}",
            environment={"ERL_EPMD_PORT": str(self._epmd_port)},
            stop_seconds=3,
        )

    def spec(self) -> ProcessSpec:
        """The broker process."""
        folder = self._layout.folder("rabbitmq")
        return ProcessSpec(
            name="rabbitmq",
            command=[str(server_script())],
            environment={
                "HOME": str(folder),
                "RABBITMQ_NODENAME": f"grove{self.port}@localhost",
                "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
                "RABBITMQ_CONFIG_FILES": str(folder / "conf.d"),
                "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
                "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
                "RABBITMQ_MNESIA_BASE": str(folder / "data"),
                "RABBITMQ_LOG_BASE": str(folder / "log"),
                "RABBITMQ_LOGS": "-",
                "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
                "RABBITMQ_PID_FILE": str(folder / "pid"),
                "RABBITMQ_DIST_PORT": str(self._distribution_port),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
                ),
                "ERL_EPMD_PORT": str(self._epmd_port),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "ERL_CRASH_DUMP_SECONDS": "0",
                "ERL_MAX_PORTS": "4096",
            },
            probe=self._probe,
            needs=("epmd",),
            address=f"127.0.0.1:{self.port}",
            stop_seconds=30,
            before=self._prepare,
        )

    async def declare_topology(self) -> None:
        """Exchanges, queues, bindings, users: the whole catalogue, by the management API."""
        context = self._context()
        async with httpx2.AsyncClient(verify=context, timeout=30, trust_env=False) as client:
            answer = await client.post(
                f"https://127.0.0.1:{self.management_port}/api/definitions",
                json=topology.definitions(),
                auth=(topology.OPERATOR, self._layout.secret("operator", "broker_password")),
            )
        if answer.status_code >= 300:
            raise StepFailed(f"RabbitMQ refused the topology: {answer.status_code} {answer.text[:300]}")

    def _prepare(self) -> None:
        folder = self._layout.folder("rabbitmq")
        identity = self._layout.identity_file("rabbitmq")
        ca = self._layout.internal_ca.certificate_file
        (folder / "conf.d").mkdir(exist_ok=True)
        (folder / "rabbitmq-env.conf").touch()
        (folder / "enabled_plugins").write_text(PLUGINS)
        (folder / "advanced.config").write_text(ADVANCED)
        config = render_config(
            port=f"127.0.0.1:{self.port}",
            management_ip="127.0.0.1",
            management_port=self.management_port,
            ca_file=ca,
            identity_file=identity,
            definitions_file=folder / "definitions.json",
        )
        (folder / "rabbitmq.conf").write_text(config)
        (folder / "definitions.json").write_text(json.dumps(first_definitions(self._layout)))

    async def _probe(self) -> str | None:
        # It stays up, "completed", when only its port was taken: ask on the port itself, with a certificate.
        try:
            connection = await aio_pika.connect(
                f"amqps://127.0.0.1:{self.port}/{topology.VHOST}?auth=EXTERNAL",
                ssl_context=self._context(),
                timeout=2,
            )
        except (OSError, AMQPError, TimeoutError, aio_pika.exceptions.AMQPError) as error:
            return str(error)[:200] or type(error).__name__
        await connection.close()
        return None

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._layout.internal_ca.certificate_file))
        context.load_cert_chain(self._layout.identity_file("operator"))
        return context


def render_config(
    *, port: str, management_ip: str, management_port: int, ca_file: Path, identity_file: Path, definitions_file: Path
) -> str:
    """rabbitmq.conf with addresses and files filled in."""
    config = (Path(__file__).parent / "rabbitmq.conf").read_text()
    values = {
        "PORT": port,
        "MANAGEMENT_IP": management_ip,
        "MANAGEMENT_PORT": str(management_port),
        "CA_FILE": str(ca_file),
        "IDENTITY_FILE": str(identity_file),
        "DEFINITIONS_FILE": str(definitions_file),
    }
    for name, value in values.items():
        config = config.replace("${" + name + "}", value)
    return config


def first_definitions(layout: Layout) -> dict[str, object]:
    """What the broker loads at boot: the virtual host and the operator, who declares the rest."""
    everything = ".*"
    return {
        "vhosts": [{"name": topology.VHOST}],
        "users": [
            {
                "name": topology.OPERATOR,
                "password_hash": broker_password_hash(layout.secret("operator", "broker_password")),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ["administrator"],
            }
        ],
        "permissions": [
            {
                "user": topology.OPERATOR,
                "vhost": topology.VHOST,
                "configure": everything,
                "write": everything,
                "read": everything,
            }
        ],
    }


async def _always_ready() -> str | None:
    return None
