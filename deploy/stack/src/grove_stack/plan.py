"""What the stack runs: servers, steps and the suite's processes, with what each needs before it starts."""

import asyncio
import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2

from grove_stack.edge import Edge, EdgeSettings
from grove_stack.layout import Layout
from grove_stack.outside import provider_environment, sandbox_environment
from grove_stack.ports import Ports
from grove_stack.process import ProcessSpec, StepFailed, StepSpec
from grove_stack.servers import mailcatcher
from grove_stack.servers.mongodb import MongoDb
from grove_stack.servers.postgres import Postgres
from grove_stack.servers.rabbitmq import RabbitMq
from grove_stack.servers.valkey import Valkey
from grove_stack.services import SERVICES, Service
from grove_stack.settings import StackSettings

ADMIN_EMAIL = "admin@grove.example"
_MIGRATED = {"mongodb": ("mongodb-roles",), "postgres": ("databases",), "none": ()}


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a suite's process."""

    service: Service
    kind: str
    number: int

    @property
    def name(self) -> str:
        """`resource-api`, `resource-api-2`, …"""
        base = f"{self.service.name}-{self.kind}"
        return base if self.number == 1 else f"{base}-{self.number}"


class Plan:
    """Everything about one stack that can be known before it runs."""

    def __init__(self, settings: StackSettings) -> None:
        self.settings = settings
        self.layout = Layout(settings.state_dir.resolve())
        self.ports = Ports(self.layout.root / "ports.json")
        self.https_port = self._public("https", settings.https_port)
        self.http_port = self._public("http", settings.http_port)
        pick = self.ports.pick
        self.postgres = Postgres(self.layout, pick("postgres"), durable=settings.durable)
        self.mongodb = MongoDb(self.layout, pick("mongodb"))
        self.valkey = Valkey(self.layout, pick("valkey"))
        self.rabbitmq = RabbitMq(
            self.layout,
            port=pick("rabbitmq"),
            management_port=pick("rabbitmq-management"),
            distribution_port=pick("rabbitmq-distribution"),
            epmd_port=pick("epmd"),
        )
        self.edge = Edge(
            self.layout,
            EdgeSettings(
                self.https_port,
                self.http_port,
                pick("traefik-ops"),
                domain=settings.domain,
                development=settings.limits == "development",
            ),
        )

    def prepare(self) -> None:
        """Certificates and secrets."""
        domain = self.settings.domain
        self.layout.prepare([domain, f"auth.{domain}", f"api.{domain}", "127.0.0.1"])

    def operator(self) -> dict[str, str]:
        """How the `grove` command reaches this stack."""
        return {
            "broker_url": f"amqps://127.0.0.1:{self.rabbitmq.port}/grove",
            "broker_management_url": f"https://127.0.0.1:{self.rabbitmq.management_port}",
            "broker_password_file": str(self.layout.secrets_dir("operator") / "broker_password"),
            "identity_file": str(self.layout.identity_file("operator")),
            "ca_file": str(self.layout.internal_ca.certificate_file),
        }

    def servers(self) -> list[ProcessSpec]:
        """What the suite stands on."""
        mail = mailcatcher.spec(self.mail_dir, self.ports.pick("smtp"))
        if self.settings.parts == "mail":
            return [mail]
        return [
            self.postgres.spec(),
            self.mongodb.spec(),
            self.valkey.spec(),
            self.rabbitmq.epmd_spec(),
            self.rabbitmq.spec(),
            mail,
        ]

    def steps(self) -> list[StepSpec]:
        """What is done once at each start."""
        if self.settings.parts == "mail":
            return []
        stores = [
            StepSpec("mongodb-users", self.mongodb.create_users),
            StepSpec("mongodb-roles", self.mongodb.grant_roles, ("mongodb",)),
            StepSpec("databases", self.postgres.create_databases, ("postgres",)),
            StepSpec("topology", self.rabbitmq.declare_topology, ("rabbitmq",)),
        ]
        if self.settings.parts == "stores":
            return stores
        migrations = [
            StepSpec(f"migrate-{service.name}", partial(self._migrate, service), _MIGRATED[service.store])
            for service in SERVICES
            if service.store != "none"
        ]
        return [*stores, *migrations, StepSpec("first-admin", self._create_admin, ("migrate-auth", "valkey"))]

    def suite(self, scale: dict[str, int]) -> list[ProcessSpec]:
        """The suite's own processes, in the wanted number of copies."""
        if self.settings.parts != "all":
            return []
        return [self.sandbox(), *(self.process(copy) for copy in self.copies(scale)), self.edge.spec()]

    def copies(self, scale: dict[str, int]) -> list[Copy]:
        """Copies of each service's processes."""
        return [
            Copy(service, kind, number)
            for service in SERVICES
            for kind in (("api", "worker") if service.worker else ("api",))
            for number in range(1, scale.get(f"{service.name}-{kind}", 1) + 1)
        ]

    def process(self, copy: Copy) -> ProcessSpec:
        """One process of a service."""
        service, name = copy.service, copy.name
        ops = self.ports.pick(f"{name}-ops")
        port = self.ports.pick(name) if copy.kind == "api" else 0
        migrated = () if service.store == "none" else (f"migrate-{service.name}",)
        return ProcessSpec(
            name=name,
            command=[sys.executable, "-m", service.module, copy.kind],
            environment=self.environment(service, name) | {"PORT": str(port), "OPS_PORT": str(ops)},
            probe=partial(_ready, ops),
            needs=(*migrated, "valkey", "topology"),
            address=f"127.0.0.1:{port}" if port else None,
            ops_address=f"127.0.0.1:{ops}",
            before=partial(self.layout.ensure_identity, service.name, name),
        )

    def sandbox(self) -> ProcessSpec:
        """The outside world."""
        port = self.ports.pick("sandbox")
        return ProcessSpec(
            name="sandbox",
            command=[sys.executable, "-m", "grove_sandbox"],
            environment=sandbox_environment(self.layout, port, self.api_url),
            probe=partial(_answers, f"http://127.0.0.1:{port}/health"),
            address=f"127.0.0.1:{port}",
            stop_seconds=5,
        )

    def environment(self, service: Service, instance: str) -> dict[str, str]:
        """Settings of a service's process."""
        ports, layout, settings = self.ports, self.layout, self.settings
        auth = ports.pick("auth-api")
        shared = {
            "ENVIRONMENT": "development",
            "INSTANCE": instance,
            "SECRETS_DIR": str(layout.secrets_dir(service.name)),
            "TLS_IDENTITY_FILE": str(layout.identity_file(instance)),
            "TLS_CA_FILE": str(layout.internal_ca.certificate_file),
            "AUTH_INTERNAL_URL": f"https://127.0.0.1:{auth}",
            "BROKER_URL": f"amqps://127.0.0.1:{self.rabbitmq.port}/grove",
            "VALKEY_HOST": "127.0.0.1",
            "VALKEY_PORT": str(ports.pick("valkey")),
            "PUBLIC_URL": self.portal_url,
            "PUBLIC_AUTH_URL": self.auth_url,
            "PUBLIC_API_URL": self.api_url,
            "LINK_BASE_URL": self.portal_url,
            "LIMITS": settings.limits,
            "OTLP_ENDPOINT": settings.otlp_endpoint,
            "DOCS_PUBLIC": "true",
        }
        store: dict[str, str] = {}
        if service.store == "postgres":
            store = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(ports.pick("postgres"))}
        elif service.store == "mongodb":
            store = {
                "MONGO_HOST": "127.0.0.1",
                "MONGO_PORT": str(ports.pick("mongodb")),
                "MONGO_REPLICA_SET": "",
            }
        return shared | store | self._own(service)

    @property
    def portal_url(self) -> str:
        """The portal."""
        return f"https://{self.settings.domain}:{self.https_port}"

    @property
    def auth_url(self) -> str:
        """The auth host."""
        return f"https://auth.{self.settings.domain}:{self.https_port}"

    @property
    def api_url(self) -> str:
        """The api host."""
        return f"https://api.{self.settings.domain}:{self.https_port}"

    @property
    def sandbox_url(self) -> str:
        """The outside world."""
        return f"http://127.0.0.1:{self.ports.pick('sandbox')}"

    @property
    def mail_dir(self) -> Path:
        """Where caught mail lies."""
        return self.layout.root / "mail"

    def _own(self, service: Service) -> dict[str, str]:
        if service.name == "auth":
            issuer = {
                "key": "sandbox",
                "kind": "oidc",
                "client_id": "grove-auth",
                "issuer": f"{self.sandbox_url}/oidc",
            }
            return {
                "OAUTH_PROVIDERS": json.dumps([issuer]),
                "OAUTH_REDIRECT_URIS": json.dumps([f"{self.portal_url}/"]),
                "SMS_URL": f"{self.sandbox_url}/sms/messages",
                "SIGNING_KEY_LEAD_SECONDS": "2",  # so that a rotation can be watched
            }
        if service.name == "resource":
            return {"FILES_URL": f"file://{self.layout.root / 'files'}", "GRAPHQL_INTROSPECTION": "true"}
        if service.name == "notification":
            return {
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(self.ports.pick("smtp")),
                "SMTP_TLS": "none",
                "WEBHOOK_ALLOWED_TARGETS": json.dumps([f"127.0.0.1:{self.ports.pick('sandbox')}"]),
                "WEBHOOK_RETRY_SCALE": str(self.settings.webhook_retry_scale),
            }
        if service.name == "provider-sync":
            return provider_environment(self.sandbox_url, self.api_url)
        if service.name == "gateway":
            internal = {
                s.name: f"https://127.0.0.1:{self.ports.pick(f'{s.name}-api')}" for s in SERVICES if s.name != "gateway"
            }
            return {"SERVICES": json.dumps(internal)}
        return {}

    def _public(self, name: str, wanted: int) -> int:
        return self.ports.fixed(name, wanted) if wanted else self.ports.pick(name)

    async def _migrate(self, service: Service) -> None:
        self.layout.ensure_identity(service.name, f"{service.name}-migrate")
        await self._run([sys.executable, "-m", service.module, "migrate"], service, f"{service.name}-migrate")

    async def _create_admin(self) -> None:
        done = self.layout.root / "admin-created"
        if not done.exists():
            await self.create_admin(ADMIN_EMAIL)
            done.touch()

    async def create_admin(self, email: str) -> None:
        """An admin account with the stack's admin password."""
        command = [str(Path(sys.executable).parent / "grove"), "auth", "users", "create-admin"]
        password = self.layout.secret("operator", "admin_password")
        await self._run(
            [*command, "--email", email, "--password-stdin"], SERVICES[0], "auth-migrate", text=password + "\n"
        )

    async def _run(self, command: list[str], service: Service, instance: str, *, text: str = "") -> None:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "LOG_LEVEL": "WARNING", **self.environment(service, instance)},
        )
        output, _ = await process.communicate(text.encode())
        if process.returncode != 0:
            shown = output.decode(errors="replace").strip()[-1500:]
            raise StepFailed(f"`{' '.join(command[1:])}` of {service.name} failed:\n{shown}")


async def _ready(ops_port: int) -> str | None:
    return await _answers(f"http://127.0.0.1:{ops_port}/health/ready")


async def _answers(url: str) -> str | None:
    try:
        async with httpx2.AsyncClient(timeout=3, trust_env=False) as client:
            answer = await client.get(url)
    except httpx2.HTTPError as error:
        return str(error) or type(error).__name__
    return None if answer.status_code == 200 else f"answered {answer.status_code}: {answer.text[:200]}"
