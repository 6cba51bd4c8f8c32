import os
import subprocess
import sys

import pytest
from pydantic import ValidationError

from grove.core.secrets import SecretMissing, Secrets
from grove.core.settings import ProcessSettings, load


class NeedsSecret(ProcessSettings):
    service = "example"
    required_secrets = ("database_password",)


def test_a_missing_secret_stops_the_process_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        load(NeedsSecret)
    assert "'database_password' is missing" in str(stopped.value)
    assert "docs/configuration.md" in str(stopped.value)


def test_a_placeholder_is_refused(tmp_path):
    (tmp_path / "database_password").write_text("changeme-please")
    with pytest.raises(ValidationError, match="placeholder"):
        NeedsSecret(secrets_dir=tmp_path)


def test_an_unknown_value_names_the_setting(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(SystemExit, match="LOG_LEVEL"):
        load(ProcessSettings)


def test_a_good_secret_starts(tmp_path):
    (tmp_path / "database_password").write_text("s3cr3t\n")
    assert NeedsSecret(secrets_dir=tmp_path).secrets.read("database_password") == "s3cr3t"


def test_a_changed_secret_is_seen_without_a_restart(tmp_path):
    file = tmp_path / "key"
    file.write_text("one")
    secrets = Secrets(tmp_path)
    assert secrets.read("key") == "one"
    file.write_text("two")
    import os

    os.utime(file, ns=(1, 1))
    assert secrets.read("key") == "two"


def test_an_empty_secret_is_missing(tmp_path):
    (tmp_path / "key").write_text(" \n")
    with pytest.raises(SecretMissing, match="empty"):
        Secrets(tmp_path).read("key")


def test_every_concern_is_read_from_the_env_file(tmp_path):
    chosen = {"LOG_LEVEL": "DEBUG", "CORS_ORIGINS": '["https://app.example"]', "VALKEY_HOST": "cache.example"}
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in chosen.items()))
    (tmp_path / "other.env").write_text("LOG_LEVEL=ERROR")
    asked = "from grove.core.settings import ServiceSettings; s = ServiceSettings()"
    asked += "; print(s.log_level, s.cors_origins, s.valkey_host)"

    def told(**environment: str) -> str:
        given = {name: value for name, value in os.environ.items() if name not in {*chosen, "ENV_FILE"}} | environment
        done = subprocess.run(
            [sys.executable, "-c", asked], cwd=tmp_path, env=given, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert told() == "DEBUG ['https://app.example'] cache.example"
    assert told(LOG_LEVEL="WARNING").startswith("WARNING "), "the environment goes before the file"
    assert told(ENV_FILE="other.env") == "ERROR [] valkey"
    assert told(ENV_FILE="") == "INFO [] valkey"
