"""The types of notifications, and what is done about each unless its user chose otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channels:
    """Where a type is told."""

    in_app: bool
    email: bool
    webhook: bool


@dataclass(frozen=True, slots=True)
class NotificationType:
    """One type.

    `mailed_by_auth`: about the account's safety; auth mails it itself, at once, and nobody can switch that off.
    `urgent`: is worth nothing later, so its mail waits for no digest.
    """

    name: str
    email: bool = False
    mailed_by_auth: bool = False
    urgent: bool = False

    @property
    def default(self) -> Channels:
        """Where it is told to who never chose."""
        return Channels(in_app=True, email=self.email or self.mailed_by_auth, webhook=True)


def _security(name: str) -> NotificationType:
    return NotificationType(name, mailed_by_auth=True)


_ALL = (
    NotificationType("SIGNUP"),
    NotificationType("LOGIN"),
    NotificationType("LOGOUT"),
    _security("SUSPICIOUS_LOGIN"),
    _security("ACCOUNT_LOCKED"),
    _security("PASSWORD_CHANGED"),
    _security("EMAIL_CHANGED"),
    _security("MFA_ENABLED"),
    _security("MFA_DISABLED"),
    _security("API_KEY_CREATED"),
    _security("SESSION_REUSE"),
    NotificationType("TASK_CREATED"),
    NotificationType("TASK_UPDATED"),
    NotificationType("TASK_COMPLETED"),
    NotificationType("TASK_PENDING"),
    NotificationType("TASK_DELETED"),
    NotificationType("TASK_RESTORED"),
    NotificationType("TASK_SHARED", email=True),
    NotificationType("TASK_REMINDER", email=True, urgent=True),
    NotificationType("PROFILE_UPDATED"),
    NotificationType("PROVIDER_CONNECTED"),
    NotificationType("PROVIDER_SYNCED"),
    NotificationType("PROVIDER_NEEDS_REAUTH", email=True),
    NotificationType("PROVIDER_FAILED", email=True),
)
TYPES: dict[str, NotificationType] = {each.name: each for each in _ALL}


def known(name: str) -> str:
    """The name of a type, as it is. Raises ValueError for another."""
    if name not in TYPES:
        raise ValueError(f"{name[:40]} is not a type; they are: {', '.join(TYPES)}")
    return name
