"""Collections, one file each."""

from grove_auth.models.audit_event import AuditEvent
from grove_auth.models.deleted_user import DeletedUser
from grove_auth.models.mfa_challenge import MfaChallenge
from grove_auth.models.mfa_recovery import MfaRecovery
from grove_auth.models.password_attempts import PasswordAttempts
from grove_auth.models.password_reset import PasswordReset
from grove_auth.models.registration import Registration
from grove_auth.models.revocation import RevocationEntry
from grove_auth.models.second_factors import SecondFactors
from grove_auth.models.sent_code import SentCode
from grove_auth.models.session import Session, SpentToken
from grove_auth.models.signing_key import SigningKey
from grove_auth.models.trusted_device import TrustedDevice
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
    SecondFactors,
    MfaChallenge,
    SentCode,
    MfaRecovery,
    TrustedDevice,
]

__all__ = [
    "DOCUMENTS",
    "AuditEvent",
    "DeletedUser",
    "MfaChallenge",
    "MfaRecovery",
    "PasswordAttempts",
    "PasswordReset",
    "Registration",
    "RevocationEntry",
    "SecondFactors",
    "SentCode",
    "Session",
    "SigningKey",
    "SpentToken",
    "TrustedDevice",
    "User",
]
