"""The sandbox bank (deploy/sandbox), which plays a bank with OAuth, cursors and webhooks."""

from grove_provider_sync.adapters.sandbox.adapter import SandboxProvider
from grove_provider_sync.adapters.sandbox.settings import SandboxSettings
from grove_provider_sync.providers.adapters import Offer

OFFER = Offer(SandboxSettings, SandboxProvider)
