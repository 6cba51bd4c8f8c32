"""Feature flags through OpenFeature: on/off, percentage, variant by user; read per request, no restart."""

from pathlib import Path
from uuid import UUID

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.evaluation_context import EvaluationContext


class Flags:
    """Feature flags of this process. Without a file every flag has its default."""

    def __init__(self, file: Path | None, domain: str) -> None:
        self._domain = domain
        if file is not None:
            api.set_provider_and_wait(
                FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file)), domain
            )
        self._client: OpenFeatureClient = api.get_client(domain)

    def on(self, flag: str, user_id: UUID | None = None, *, default: bool = False) -> bool:
        """Whether `flag` is on for the user (or in general)."""
        return self._client.get_boolean_value(flag, default, _context(user_id))

    def variant(self, flag: str, user_id: UUID | None = None, *, default: str = "") -> str:
        """The text variant of `flag` for the user (or in general)."""
        return self._client.get_string_value(flag, default, _context(user_id))


def _context(user_id: UUID | None) -> EvaluationContext:
    return EvaluationContext(targeting_key=str(user_id) if user_id else "")
