"""Collections, one file each."""

from grove_auth.models.api_key import ApiKey
from grove_auth.models.audit_event import AuditEvent
from grove_auth.models.audit_seal import AuditSeal
from grove_auth.models.captcha_solution import CaptchaSolution
from grove_auth.models.deleted_user import DeletedUser
from grove_auth.models.email_change import EmailChange, EmailUndo
from grove_auth.models.identity import Identity
from grove_auth.models.known_places import KnownPlaces
from grove_auth.models.mfa_challenge import MfaChallenge
from grove_auth.models.mfa_recovery import MfaRecovery
from grove_auth.models.not_me_link import NotMeLink
from grove_auth.models.oauth import OAuthCode, OAuthFlow
from grove_auth.models.passkey import Passkey, PasskeyChallenge
from grove_auth.models.password_attempts import PasswordAttempts
from grove_auth.models.password_reset import PasswordReset
from grove_auth.models.registration import Registration
from grove_auth.models.revocation import RevocationEntry
from grove_auth.models.role import Role
from grove_auth.models.second_factors import SecondFactors
from grove_auth.models.sent_code import SentCode
from grove_auth.models.session import Session, SpentToken
from grove_auth.models.signing_key import SigningKey
from grove_auth.models.trusted_device import TrustedDevice
from grove_auth.models.user import User

DOCUMENTS = [
    CaptchaSolution,
    User,
    DeletedUser,
    Passkey,
    PasskeyChallenge,
    EmailChange,
    EmailUndo,
    KnownPlaces,
    NotMeLink,
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
    Role,
    Identity,
    OAuthFlow,
    OAuthCode,
    ApiKey,
]

AUDIT_DOCUMENTS = [AuditEvent, AuditSeal]
"""In a database of their own, where the service may only add and read."""

__all__ = [
    "AUDIT_DOCUMENTS",
    "DOCUMENTS",
    "ApiKey",
    "AuditEvent",
    "AuditSeal",
    "CaptchaSolution",
    "DeletedUser",
    "EmailChange",
    "EmailUndo",
    "Identity",
    "KnownPlaces",
    "MfaChallenge",
    "MfaRecovery",
    "NotMeLink",
    "OAuthCode",
    "OAuthFlow",
    "Passkey",
    "PasskeyChallenge",
    "PasswordAttempts",
    "PasswordReset",
    "Registration",
    "RevocationEntry",
    "Role",
    "SecondFactors",
    "SentCode",
    "Session",
    "SigningKey",
    "SpentToken",
    "TrustedDevice",
    "User",
]
