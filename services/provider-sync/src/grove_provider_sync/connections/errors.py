"""What can be wrong with a request about connections."""

from grove.core.errors import Conflict, Forbidden, Gone, InvalidState, NotFound


class ConnectionNotFound(NotFound):
    """404."""

    message = "There is no connection with this id."


class ConnectionNotUsable(InvalidState):
    """400: the connection is not active."""

    message = "This connection can't be synchronised now: see its status_detail."


class ConnectionRevoked(InvalidState):
    """400: it was removed."""

    message = "This connection was removed. Connect the provider anew."


class TooManyConnections(Conflict):
    """409."""

    def __init__(self, most: int) -> None:
        super().__init__(f"You have {most} connections. Remove one first.")


class AuthorizationGone(Gone):
    """410: the state is unknown, used or expired."""

    message = "This try to connect was used or has expired. Start again."


class BeingFinished(Conflict):
    """409: another callback with the same state is under way."""

    message = "This try to connect is being finished. Look at the connection in a moment."


class NotYourBrowser(Forbidden):
    """403: the callback came from another browser and another user than began."""

    message = "Connecting was begun in another browser. Start again in this one."


class ConsentDenied(Conflict):
    """409: the user said no at the provider."""

    message = "Access was not given at the provider. Start again if that was not meant."


class OtherCustomer(Conflict):
    """409: what was given access to now is not what the connection was for."""

    message = "You gave access as another customer of the provider than before. Connect that one as a new connection."


class AlreadyConnected(Conflict):
    """409: another connection of the user is for the same."""

    message = "You have a connection for this customer of the provider already. Reconnect that one."
