"""What can be wrong with a request about connections."""

from grove.core.errors import Conflict, Forbidden, Gone, InvalidState, NotFound


class ConnectionNotFound(NotFound):
    """404."""

    message = "There is no connection with this id."


class ConnectionNotUsable(InvalidState):
    """400: the connection is not active."""

    message = "This connection can't be synchronised now: see its status_detail."


class AuthorizationGone(Gone):
    """410: the state is unknown, used or expired."""

    message = "This try to connect was used or has expired. Start again."


class NotYourBrowser(Forbidden):
    """403: the callback came from another browser and another user than began."""

    message = "Connecting was begun in another browser. Start again in this one."


class ConsentDenied(Conflict):
    """409: the user said no at the provider."""

    message = "Access was not given at the provider. Start again if that was not meant."
