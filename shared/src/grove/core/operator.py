"""How the `grove` command reaches a suite: told by a file, `operator.json` of the local stack by default."""

from pathlib import Path

from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict


class OperatorSettings(BaseSettings):
    """Where to find the operator file"""

    model_config = SettingsConfigDict(env_prefix="GROVE_", extra="ignore")

    operator_file: Path | None = None
    state_dir: Path = Path(".grove")
    """The local stack's folder, where its file is."""


class Operator(BaseModel):
    """Addresses of the suite, and the operator's certificate."""

    broker_url: str
    broker_management_url: str
    broker_password_file: Path
    identity_file: Path
    ca_file: Path


def operator() -> Operator:
    """The operator's access. Raises FileNotFoundError with what to do."""
    settings = OperatorSettings()
    file = settings.operator_file or settings.state_dir / "operator.json"
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: start the stack, or name the file in GROVE_OPERATOR_FILE.")
    return Operator.model_validate_json(file.read_bytes())
