"""What can go wrong with API keys."""

from grove.core.errors import Conflict, Invalid, NotFound


class ApiKeyNotFound(NotFound):
    """404."""

    message = "There is no API key with this id."


class TooManyApiKeys(Conflict):
    """409."""

    message = "You have as many API keys as there may be. Delete one that you don't use."


def not_grantable(scopes: list[str]) -> Invalid:
    """422: scopes that the user has not, or that no key may have."""
    named = ", ".join(scopes)
    return Invalid(
        details=[{"field": "body.scopes", "message": f"A key of yours can't have: {named}.", "type": "scope"}]
    )
