"""The local stack: its files, its certificates, its supervisor."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from grove_stack import daemon
from grove_stack.cli import card
from grove_stack.cli import commands as stack_commands
from grove_stack.demo import newest_mail
from grove_stack.edge import Edge, EdgeSettings
from grove_stack.layout import Layout, broker_password_hash, read_json, write_json
from grove_stack.pki.cli import commands as pki_commands
from grove_stack.plan import Plan
from grove_stack.ports import Ports, free_port, is_free, owner_of
from grove_stack.preflight import problems
from grove_stack.process import Child, ProcessSpec, StepFailed, StepSpec, last_lines, started_at
from grove_stack.services import SERVICES
from grove_stack.settings import StackSettings
from grove_stack.supervisor import Supervisor, sweep
from grove_stack.testing.stacks import command


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "state")
    layout.prepare(["localhost", "auth.localhost"])
    return layout


def test_secrets_and_certificates_are_private_and_made_once(layout):
    files = [path for path in layout.root.rglob("*") if path.is_file() and path.name != "ca.pem"]
    assert files
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    before = {path: path.read_bytes() for path in files}
    layout.prepare(["localhost", "auth.localhost"])
    assert before == {path: path.read_bytes() for path in files}
    assert layout.secret("auth", "mail_key_ring") == layout.secret("notification", "mail_key_ring")
    assert layout.secret("resource", "database_password") != layout.secret("notification", "database_password")
    for service in SERVICES:
        assert not (layout.secrets_dir(service.name) / "ca.key").exists()


def test_certificates_are_issued_listed_and_renewed(layout):
    runner, options = CliRunner(), ["--state-dir", str(layout.root)]
    assert runner.invoke(pki_commands, ["issue", "billing", *options]).exit_code == 0
    before = layout.identity_file("billing").read_bytes()
    assert "none was due" in runner.invoke(pki_commands, ["renew", *options]).output
    assert layout.identity_file("billing").read_bytes() == before
    assert "billing" in runner.invoke(pki_commands, ["renew", "--all", *options]).output
    assert layout.identity_file("billing").read_bytes() != before
    assert "spiffe://grove/billing" in runner.invoke(pki_commands, ["list", *options], env={"COLUMNS": "200"}).output


def test_ports_are_remembered_and_their_owner_is_named(tmp_path):
    ports = Ports(tmp_path / "ports.json")
    first = ports.pick("a")
    assert ports.pick("a") == first == Ports(tmp_path / "ports.json").pick("a")
    assert ports.pick("b") != first
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert str(os.getpid()) in owner_of(port)
        found = problems(StackSettings(https_port=port, http_port=0), running=False)
        assert any(f"Port {port} is taken by" in problem for problem in found)
        assert not [p for p in problems(StackSettings(https_port=port), running=True) if "Port" in p]
    assert "nobody" in owner_of(free_port())


def test_traefiks_files_are_valid_and_whole(layout):
    edge = Edge(layout, EdgeSettings(8443, 8080, 9000, development=False))
    edge.render()
    edge.write_servers({"resource": ["127.0.0.1:1", "127.0.0.1:2"]})
    folder = layout.root / "traefik"
    files = {path.name: yaml.safe_load(path.read_text()) for path in folder.rglob("*.yml")}
    entry = files["traefik.yml"]["entryPoints"]
    assert {point["http"]["aliasHeadersStrategy"] for point in entry.values()} == {"delete"}
    assert not any(entry["websecure"]["http"]["encodedCharacters"].values())
    assert set(files["tls.yml"]["tls"]["options"]) == {"default"}
    assert files["tls.yml"]["tls"]["options"]["default"]["sniStrict"] is True
    for name, transport in files["transports.yml"]["http"]["serversTransports"].items():
        assert transport["minVersion"] == transport["maxVersion"] == "VersionTLS13"
        assert transport["peerCertURI"] == f"spiffe://grove/{name.removeprefix('mesh-')}"
    middlewares = files["middlewares.yml"]["http"]["middlewares"]
    for limit in ("rate-auth", "rate-api"):
        rate = middlewares[limit]["rateLimit"]
        assert rate["average"] >= 1
        assert rate["burst"] <= 2 * rate["average"]
        assert rate["sourceCriterion"]["ipStrategy"]["ipv6Subnet"] == 64
    assert (middlewares["rate-auth"]["rateLimit"]["average"], middlewares["rate-api"]["rateLimit"]["average"]) == (
        20,
        50,
    )
    assert "max-age=63072000" in str(middlewares["no-identity"])
    stream = files["routers.yml"]["http"]["routers"]["notification-stream"]
    assert stream["middlewares"] == ["no-identity"]
    resource = files["servers.yml"]["http"]["services"]["resource"]["loadBalancer"]
    assert [server["url"] for server in resource["servers"]] == ["https://127.0.0.1:1", "https://127.0.0.1:2"]
    assert resource["healthCheck"]["path"] == "/health/live"
    assert "passiveHealthCheck" not in resource, "503s of one route would take all others away"
    assert middlewares["retry"]["retry"]["attempts"] == 6, "two copies that just went, and others asking meanwhile"
    before = (folder / "dynamic" / "transports.yml").read_text()
    edge.renewed()
    assert (folder / "dynamic" / "transports.yml").read_text() != before


def test_a_plan_names_every_process(tmp_path):
    plan = Plan(StackSettings(state_dir=tmp_path, https_port=0, http_port=0))
    plan.prepare()
    names = {spec.name for spec in [*plan.servers(), *plan.suite({"resource-api": 2})]}
    assert {"resource-api", "resource-api-2", "notification-worker", "traefik", "postgres", "sandbox"} <= names
    steps = {step.name for step in plan.steps()}
    for spec in plan.suite({}):
        assert set(spec.needs) <= names | steps
    assert plan.settings.limits == "development"
    resource = next(spec for spec in plan.suite({}) if spec.name == "resource-api")
    assert "password" not in json.dumps(resource.environment).lower()


def test_small_things(tmp_path):
    assert read_json(tmp_path / "none.json") == {}
    (tmp_path / "half.json").write_text('{"a":')
    assert read_json(tmp_path / "half.json") == {}
    assert broker_password_hash("x") != broker_password_hash("x")
    assert last_lines(tmp_path / "none.log") == []
    assert newest_mail(tmp_path / "none", "a@b") == ""
    assert started_at(os.getpid()) == psutil.Process().create_time()
    assert started_at(2**22 + 1) is None


async def test_a_process_is_stopped_with_its_whole_group(tmp_path):
    script = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"

    async def ready() -> None:
        return None

    spec = ProcessSpec("x", [sys.executable, "-c", script], ready, stop_signal=signal.SIGINT, stop_seconds=2)
    child = await Child.start(spec, tmp_path / "x.log")
    while not last_lines(tmp_path / "x.log"):
        await asyncio.sleep(0.02)
    grandchild = int(last_lines(tmp_path / "x.log")[0])
    await child.stop()
    assert not child.running
    async with asyncio.timeout(30):  # it was killed; only whoever inherited it can say when it is gone
        while started_at(grandchild) is not None:
            await asyncio.sleep(0.02)


def test_a_sweep_ends_only_what_was_recorded():
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    pid = process.pid
    sweep({"parts": {"x": {"pid": pid, "started": 1.0}}})
    assert started_at(pid)
    sweep({"parts": {"x": {"pid": pid, "started": started_at(pid)}}})
    process.wait(5)
    assert started_at(pid) is None


class Small(Supervisor):
    """A supervisor of two tiny processes and a step."""

    def __init__(self, folder: Path, script: str, *, fails: bool = False) -> None:
        super().__init__(StackSettings(state_dir=folder, https_port=0, http_port=0, parts="stores"))
        self.order: list[str] = []
        self._plan.prepare = lambda: self._layout.prepare(["localhost"])
        self._plan.servers = lambda: [self.spec("first", script), self.spec("second", script, needs=("step",))]
        self._plan.suite = lambda scale: [self.spec(f"copy-{n}", script) for n in range(2, scale.get("copy", 1) + 1)]
        self._plan.steps = lambda: [StepSpec("step", self.step, ("first",))]
        self.fails = fails

    def spec(self, name: str, script: str, needs: tuple[str, ...] = ()) -> ProcessSpec:
        async def ready() -> str | None:
            self.order.append(name)
            return None

        return ProcessSpec(name, [sys.executable, "-c", script], ready, needs=needs, stop_seconds=2)

    async def step(self) -> None:
        self.order.append("step")
        if self.fails:
            raise StepFailed("The step says what to do.")


@contextlib.asynccontextmanager
async def supervising(supervisor: Small):
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        supervisor._stop.set()
        await asyncio.wait_for(task, 20)


async def until(condition) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def told(supervisor: Small) -> dict:
    return read_json(supervisor._layout.status_file)


async def test_order_restart_scaling_and_end(tmp_path):
    sleeping = "import time; time.sleep(60)"
    async with supervising(Small(tmp_path, sleeping)) as supervisor:
        await until(lambda: told(supervisor).get("ready"))
        assert supervisor.order.index("first") < supervisor.order.index("step") < supervisor.order.index("second")
        suite = read_json(supervisor._layout.suite_file)
        assert {process["name"] for process in suite["processes"]} == {"first", "second"}
        assert set(suite) >= {"auth_url", "api_url", "portal_url", "ca_file", "mail_dir", "sandbox_url", "admin"}
        victim = told(supervisor)["parts"]["first"]["pid"]
        os.kill(victim, signal.SIGKILL)
        await until(lambda: told(supervisor)["parts"]["first"]["pid"] not in {None, victim})
        assert told(supervisor)["parts"]["first"]["restarts"] == 1
        for copies, names in ((3, {"copy-2", "copy-3"}), (1, set())):
            write_json(supervisor._layout.wanted_file, {"scale": {"copy": copies}})
            supervisor._changed.set()
            await until(lambda names=names: {n for n in told(supervisor)["parts"] if n.startswith("copy")} == names)
        pids = [part["pid"] for part in told(supervisor)["parts"].values() if part["pid"]]
    assert all(started_at(pid) is None for pid in pids)
    assert not supervisor._layout.suite_file.exists()
    assert daemon.supervisor_pid(supervisor._layout) is None


async def test_a_process_that_keeps_dying_is_shown_with_its_last_lines_and_a_growing_pause(tmp_path):
    async with supervising(Small(tmp_path, "print('cannot start: no disk'); raise SystemExit(3)")) as supervisor:
        began = time.monotonic()
        await until(lambda: told(supervisor).get("parts", {}).get("first", {}).get("restarts") == 2)
        assert time.monotonic() - began > 1
        part = told(supervisor)["parts"]["first"]
        assert "exit code 3" in part["detail"]
        assert "no disk" in part["detail"]


async def test_a_failing_step_is_told(tmp_path):
    async with supervising(Small(tmp_path, "import time; time.sleep(60)", fails=True)) as supervisor:
        await until(lambda: told(supervisor).get("parts", {}).get("step", {}).get("state") == "failed")
        assert told(supervisor)["parts"]["step"]["detail"] == "The step says what to do."
        assert told(supervisor)["parts"]["second"]["state"] == "waiting"


def test_the_card_has_everything_a_newcomer_needs(tmp_path):
    layout = Layout(tmp_path)
    suite = {name: f"<{name}>" for name in ("portal_url", "auth_url", "api_url", "mail_dir", "sandbox_url", "ca_file")}
    write_json(layout.suite_file, suite | {"admin": {"email": "a@x", "password": "p"}})
    shown = str(card(layout).renderable)
    for part in (*suite.values(), "a@x", "make down"):
        assert part in shown


def test_commands_without_a_stack_say_so(tmp_path, monkeypatch):
    monkeypatch.setenv("GROVE_STATE_DIR", str(tmp_path / "none"))
    runner = CliRunner()
    assert "down" in runner.invoke(stack_commands, ["status"]).output
    assert "Nothing was running" in runner.invoke(stack_commands, ["down"]).output
    assert runner.invoke(stack_commands, ["status", "--json"]).output.strip() == "{}"
    assert runner.invoke(stack_commands, ["logs"]).exit_code == 0
    assert runner.invoke(stack_commands, ["up", "--scale", "nonsense"]).exit_code != 0
    assert "Data removed" in runner.invoke(stack_commands, ["reset"]).output
    assert "gone" in runner.invoke(stack_commands, ["clean"]).output


def test_the_command_lists_its_groups(tmp_path):
    shown = command(tmp_path, "--help").stdout
    for group in ("auth", "config", "events", "pki", "stack"):
        assert group in shown


@pytest.mark.integration
def test_the_servers_demand_certificates(stores):
    for server in ("rabbitmq", "rabbitmq-management", "mongodb"):
        import ssl

        context = ssl.create_default_context(cafile=str(stores.layout.internal_ca.certificate_file))
        port = stores.plan.ports.pick(server)
        with (
            pytest.raises((ssl.SSLError, ConnectionError)),
            socket.create_connection(("127.0.0.1", port), 3) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if tls.recv(1) == b"":
                raise ConnectionError("closed")


@pytest.mark.integration
async def test_valkey_users_see_their_own_keys_only(stores):
    from redis.asyncio import Redis
    from redis.exceptions import NoPermissionError

    secret = stores.layout.secret("resource", "valkey_password")
    async with Redis(port=stores.plan.ports.pick("valkey"), username="resource", password=secret) as valkey:
        await valkey.set("resource:x", 1)
        for foreign in (
            valkey.get("auth:x"),
            valkey.publish("notification:push", "x"),
            valkey.keys("*"),
            valkey.flushall(),
        ):
            with pytest.raises(NoPermissionError):
                await foreign


@pytest.mark.integration
def test_the_operators_event_commands(stores, monkeypatch):
    from grove.messaging.cli import commands as event_commands

    write_json(stores.layout.root / "operator.json", stores.plan.operator())
    monkeypatch.setenv("GROVE_OPERATOR_FILE", str(stores.layout.root / "operator.json"))
    runner = CliRunner()

    def run(*words: str) -> str:
        done = runner.invoke(event_commands, list(words), env={"COLUMNS": "200"})
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.output

    assert "Declared" in run("topology", "apply")
    assert "resource.task.created.v1" in run("list")
    assert json.loads(run("topology", "show"))["queues"]
    assert "billing.events" in run("consumer", "add", "billing", "--bind", "resource.task.*")
    run("dead", "list", "notification")
    assert "Replayed 0" in run("dead", "replay", "notification")
    assert "Purged 0" in run("dead", "purge", "notification", "--yes")
    assert runner.invoke(event_commands, ["dead", "show", "notification", "none"]).exit_code == 1
    assert runner.invoke(event_commands, ["consumer", "add", "Bad Name", "--bind", "x"]).exit_code != 0
    monkeypatch.setenv("GROVE_OPERATOR_FILE", "/nowhere")
    refused = runner.invoke(event_commands, ["dead", "list", "notification"])
    assert refused.exit_code == 1
    assert "GROVE_OPERATOR_FILE" in refused.output
