"""Colours of mails, in light and in dark programs; a test holds that they can be read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colours:
    """`page` and `card` are behind `text`, `small` print and the `accent` of links; `button` is behind `on_button`."""

    page: str
    card: str
    text: str
    small: str
    accent: str
    button: str = "#2c6e49"
    on_button: str = "#ffffff"


LIGHT = Colours(page="#f4f6f4", card="#ffffff", text="#1c2b22", small="#5b6b61", accent="#2c6e49")
DARK = Colours(page="#101713", card="#1b2620", text="#e8f0eb", small="#a9b8ae", accent="#86d3a6")
