"""What containers mount is made by the code that the local stack runs."""

import json
import re
import stat
from pathlib import Path

import pytest
import yaml

from grove.core.settings import AppSettings
from grove_notification.settings import NotificationSettings
from grove_resource.images.process import MEMORY_BYTES
from grove_resource.images.renderer import AT_ONCE
from grove_resource.settings import ResourceSettings
from grove_sandbox.settings import SandboxSettings
from grove_stack.compose import write_files
from grove_stack.development import ROOT, affected, run_migration
from grove_stack.settings import StackSettings


def test_everything_that_compose_mounts_is_written(tmp_path):
    write_files(tmp_path)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    mounted = [
        volume.split(":", 1)[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./deploy/state/")
    ]
    mounted += [secret["file"] for secret in compose["secrets"].values()]
    assert len(mounted) > 20
    for path in mounted:
        relative = path.removeprefix("./").removeprefix("deploy/state/")
        assert (tmp_path / relative).exists(), path
    static = yaml.safe_load((tmp_path / "traefik" / "traefik.yml").read_text())
    assert static["providers"]["docker"]["exposedByDefault"] is False
    assert static["providers"]["file"]["directory"] == "/grove/traefik/dynamic"
    routers = yaml.safe_load((tmp_path / "traefik" / "dynamic" / "routers.yml").read_text())["http"]["routers"]
    assert routers["resource"]["service"] == "resource@docker"
    assert json.loads((tmp_path / "operator.json").read_text())["broker_url"].startswith("amqps://rabbitmq")


def test_containers_can_read_what_they_mount_and_other_users_can_not(tmp_path):
    """Containers have user ids of their own; on the host the folder is closed."""
    folder = tmp_path / "state"
    write_files(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        assert path.stat().st_mode & (0o005 if path.is_dir() else 0o004), path
    write_files(folder)  # again, over what is there


def test_mongodbs_key_file_has_its_alphabet(tmp_path):
    write_files(tmp_path)
    key = (tmp_path / "secrets" / "operator" / "mongo_key_file").read_text()
    assert re.fullmatch(r"[A-Za-z0-9+/=]{6,1024}", key)


def test_containers_are_confined():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name, service in compose["services"].items():
        assert "mem_limit" in service, name
        if name.endswith(("-api", "-worker", "-migrate")):
            assert (service["read_only"], service["user"], service["cap_drop"]) == (True, "10001:10001", ["ALL"]), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
        for value in (service.get("environment") or {}).values():
            assert "password" not in str(value).lower() or str(value).startswith("/run/secrets/"), name


def test_the_sandbox_reads_the_secrets_that_compose_gives_it(tmp_path):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    given = {each["target"]: each["source"] for each in compose["services"]["sandbox"]["secrets"]}
    for target, source in given.items():
        (tmp_path / target).write_text(f"the {source}")
    settings = SandboxSettings(_secrets_dir=tmp_path)
    assert settings.client_secret.get_secret_value() == "the sandbox_client_secret"
    assert settings.webhook_secret.get_secret_value() == "the sandbox_webhook_secret"
    theirs = {each["source"] for each in compose["services"]["provider-sync-api"]["secrets"]}
    assert set(given.values()) <= theirs


def test_who_calls_webhooks_and_who_asks_where_they_lead_can_reach_the_outside():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    reach = {name for name, service in services.items() if "outside" in service["networks"]}
    assert {name for name in reach if name.startswith("notification")} == {"notification-api", "notification-worker"}


def test_files_are_kept_in_a_volume_that_the_processes_may_write():
    """A new volume takes over the folder of the image, and its owner."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    folder = ResourceSettings.model_fields["files_url"].default.removeprefix("file://")
    for name in ("resource-api", "resource-worker"):
        assert f"files:{folder}" in compose["services"][name]["volumes"]
    assert "files" in compose["volumes"]
    image = (ROOT / "deploy" / "images" / "service.Dockerfile").read_text()
    assert f"install -d -o 10001 -g 10001 -m 700 {folder}" in image


def test_the_pictures_that_are_taken_fit():
    """Decoders in their bounds, and what the process has beside them."""
    api = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["resource-api"]
    mebibyte = 1024 * 1024
    assert int(api["mem_limit"].removesuffix("m")) * mebibyte >= AT_ONCE * MEMORY_BYTES + 512 * mebibyte


MEBIBYTES = {"m": 1, "g": 1024}


def mebibytes(limit: str) -> int:
    return int(limit[:-1]) * MEBIBYTES[limit[-1]]


def test_as_many_live_connections_fit_as_may_be_open():
    """At 180 KiB each in the edge and 100 KiB in the api, beside what they take otherwise."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    most = NotificationSettings.model_fields["live_connections"].default
    edge = int(services["traefik"]["environment"]["GOMEMLIMIT"].removesuffix("MiB"))
    assert edge >= most * 180 / 1024 + 256
    assert mebibytes(services["traefik"]["mem_limit"]) >= edge * 1.15
    assert mebibytes(services["notification-api"]["mem_limit"]) >= most * 100 / 1024 + 384


def test_processes_are_stopped_before_they_are_killed():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    most = AppSettings.model_fields["shutdown_seconds"].default
    for name, service in services.items():
        if name.endswith(("-api", "-worker")):
            assert int(service["stop_grace_period"].removesuffix("s")) > most, name


def test_the_edge_has_a_place_on_disk_for_larger_bodies():
    """Its root can't be written, and a tmpfs counts as its memory."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert "edge:/tmp" in compose["services"]["traefik"]["volumes"]
    assert "tmpfs" not in compose["services"]["traefik"]
    assert compose["volumes"]["edge"] == {}


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("services/resource/src/grove_resource/api.py", {"resource"}),
        ("gateway/src/grove_gateway/api.py", {"gateway"}),
        ("shared/src/grove/core/ids.py", {"auth", "resource", "notification", "provider-sync", "gateway"}),
        ("docs/x.md", set()),
    ],
)
def test_changed_code_restarts_who_uses_it(path, names):
    assert affected({ROOT / Path(path)}) == names


def test_migrations_of_unknown_services_are_refused(tmp_path, capsys):
    settings = StackSettings(state_dir=tmp_path)
    assert run_migration(settings, "auth", "up", "") == 2
    assert run_migration(settings, "resource", "sideways", "") == 2
    assert run_migration(settings, "resource", "create", "") == 2
    assert "grove-auth migrate" in capsys.readouterr().out


@pytest.mark.integration
def test_migrations_run_against_the_stacks_database(stores):
    for action in ("current", "history", "up"):
        assert run_migration(stores.plan.settings, "notification", action, "") == 0
