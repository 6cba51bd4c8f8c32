"""The outside world of a stack: each side is told what the other was told, by names that exist."""

import pytest
from standardwebhooks import Webhook

from grove_provider_sync.providers.registry import settings_classes
from grove_sandbox.settings import SandboxSettings
from grove_stack.layout import Layout
from grove_stack.outside import provider_environment, sandbox_environment

SANDBOX, API = "http://127.0.0.1:1", "https://api.localhost:2"


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("state"))
    layout.prepare(["localhost"])
    return layout


def test_every_provider_that_the_sandbox_plays_is_offered_with_its_secrets(layout, monkeypatch):
    for name, value in provider_environment(SANDBOX, API).items():
        monkeypatch.setenv(name, value)
    offered = [each() for each in settings_classes()]
    assert offered
    for each in offered:
        assert each.offered, type(each).__name__
        assert all(layout.secret("provider-sync", name) for name in each.required_secrets)
    known = {field.upper() for each in offered for field in type(each).model_fields}
    assert set(provider_environment(SANDBOX, API)) <= known


def test_the_sandbox_holds_the_secrets_of_its_clients(layout, monkeypatch):
    told = sandbox_environment(layout, 1, API)
    assert set(told) <= {f"SANDBOX_{field.upper()}" for field in SandboxSettings.model_fields}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = SandboxSettings()
    assert settings.schwab_client_secret.get_secret_value() == layout.secret("provider-sync", "schwab_client_secret")
    assert settings.webhook_url == f"{API}/api/v1/providers/sandbox/webhooks"
    assert settings.webhook_ca_file.exists()
    secret = layout.secret("provider-sync", "sandbox_webhook_secret")
    assert secret.startswith("whsec_")
    assert len(Webhook(secret)._whsecret) == 24
