"""Collections, one file each."""

from grove_auth.models.api_key import ApiKey
from grove_auth.models.audit_event import AuditEvent
from grove_auth.models.deleted_user import DeletedUser
from grove_auth.models.password_attempts import PasswordAttempts
from grove_auth.models.password_reset import PasswordReset
from grove_auth.models.registration import Registration
from grove_auth.models.revocation import RevocationEntry
from grove_auth.models.session import Session, SpentToken
from grove_auth.models.signing_key import SigningKey
from grove_auth.models.user import User

DOCUMENTS = [
    AuditEvent,
    User,
    DeletedUser,
    PasswordAttempts,
    PasswordReset,
    Registration,
    Session,
    SpentToken,
    SigningKey,
    RevocationEntry,
    ApiKey,
]

__all__ = [
    "DOCUMENTS",
    "ApiKey",
    "AuditEvent",
    "DeletedUser",
    "PasswordAttempts",
    "PasswordReset",
    "Registration",
    "RevocationEntry",
    "Session",
    "SigningKey",
    "SpentToken",
    "User",
]
