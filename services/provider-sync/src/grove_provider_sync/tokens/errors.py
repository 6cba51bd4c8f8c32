"""Why there is no token to work with."""


class TokensGone(Exception):
    """The connection has none, or they were killed: whoever took them has said so already."""
