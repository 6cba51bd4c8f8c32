"""What can go wrong at sign-in through a provider."""

from grove.core.errors import Forbidden, Gone, Invalid, InvalidState

DESCRIPTIONS = {
    "access_denied": "You did not agree to it at the provider.",
    "account_exists": "There is an account with this address. Sign in to it, then link the provider.",
    "already_linked": "Another account of this provider is linked already. Remove it first.",
    "email_not_verified": "The provider has no verified address of you.",
    "identity_not_linked": "This account of the provider is not linked to your account here.",
    "identity_taken": "This account of the provider is linked to another account here.",
    "provider_error": "The provider's answer can't be accepted. Try again.",
    "session_ended": "Your session has ended meanwhile. Sign in and try again.",
    "temporarily_unavailable": "The provider does not answer right now. Try again later.",
}
"""What an app is told in the address it gets the browser back at."""


class SocialFailed(Exception):
    """It ends here; the app is told `error`, the audit log `reason`."""

    def __init__(self, error: str, reason: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.reason = reason or error


class RedirectNotListed(Invalid):
    """422: browsers are not sent there."""

    def __init__(self, place: str) -> None:
        """`place`: where the address was sent, `query` or `body`."""
        message = "is not among the addresses that a browser may be sent back to; see OAUTH_REDIRECT_URIS"
        super().__init__(
            details=[{"field": f"{place}.redirect_uri", "message": message, "type": "redirect_not_listed"}]
        )


class FlowGone(Gone):
    """410: used, expired, or never begun."""

    message = "This sign-in was used or has expired. Begin again."


class NotYourBrowser(Forbidden):
    """403: the callback came to another browser than the one that began."""

    message = "Finish signing in with the browser that you began with."


class CannotReauthenticate(InvalidState):
    """400: the provider never says when somebody proved who they are."""

    message = "This provider can't be used to confirm that it is you. Use another way."


class CodeGone(Gone):
    """410: used, expired, or another's."""

    message = "This code was used or has expired, or the verifier is another one. Sign in again."
