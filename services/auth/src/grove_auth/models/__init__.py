"""Collections, one file each."""

from grove_auth.models.registration import Registration
from grove_auth.models.revocation import RevocationEntry
from grove_auth.models.session import Session, SpentToken
from grove_auth.models.signing_key import SigningKey
from grove_auth.models.user import User

DOCUMENTS = [User, Registration, Session, SpentToken, SigningKey, RevocationEntry]

__all__ = ["DOCUMENTS", "Registration", "RevocationEntry", "Session", "SigningKey", "SpentToken", "User"]
