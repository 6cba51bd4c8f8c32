"""What can go wrong with passkeys."""

from grove.core.errors import Conflict, Gone, Invalid, NotFound
from grove_auth.sessions.errors import InvalidCredentials


class PasskeyRefused(InvalidCredentials):
    """401: the same whatever was wrong."""

    message = "The passkey was not accepted. Try again, or sign in another way."


class InvalidPasskey(Invalid):
    """422: what a device made does not answer the options, or was made for another site."""

    message = "This is not the answer to the options that were given. Ask for new ones and try again."


class ChallengeGone(Gone):
    """410: answered before, expired, or somebody else's."""

    message = "These options were used or have expired. Ask for new ones."


class PasskeyTaken(Conflict):
    """409."""

    message = "This passkey is registered already."


class TooManyPasskeys(Conflict):
    """409."""

    message = "An account can have 20 passkeys. Remove one first."


class PasskeyNotFound(NotFound):
    """404."""

    message = "There is no passkey with this id."
