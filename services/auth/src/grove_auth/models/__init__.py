"""Collections, one file each."""

from grove_auth.models.deleted_user import DeletedUser
from grove_auth.models.registration import Registration
from grove_auth.models.revocation import RevocationEntry
from grove_auth.models.session import Session, SpentToken
from grove_auth.models.signing_key import SigningKey
from grove_auth.models.user import User

DOCUMENTS = [User, DeletedUser, Registration, Session, SpentToken, SigningKey, RevocationEntry]

__all__ = ["DOCUMENTS", "DeletedUser", "Registration", "RevocationEntry", "Session", "SigningKey", "SpentToken", "User"]
