"""Marking messages for translation."""


def worded(message: str) -> str:
    """The message, which is translated where it is used."""
    return message
