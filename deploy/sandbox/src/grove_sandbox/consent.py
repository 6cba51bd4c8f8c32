"""The page on which a customer decides; each provider of the sandbox shows it under its own name."""

import html
from collections.abc import Mapping

STYLE = "font-family:system-ui;line-height:1.5;max-width:32rem;margin:2rem auto;padding:0 1.5rem"


def consent_page(
    bank: str,
    asks: str,
    *,
    fields: Mapping[str, str] | None = None,
    customer: str = "demo",
    accept: str = "Allow",
    refuse: tuple[str, str] = ("deny", "Deny"),
) -> str:
    """It posts to its own address: `fields`, the customer, and the decision: `allow`, or the first of `refuse`."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in (fields or {}).items()
    )
    decision, words = refuse
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{bank}</title></head><body style="{STYLE}"><main>'
        f"<h1>{bank}</h1><p>{asks}</p>"
        f'<form method="post">{hidden}<p><label>Customer '
        f'<input name="customer" value="{html.escape(customer)}"></label></p>'
        f'<button name="decision" value="allow">{accept}</button> '
        f'<button name="decision" value="{decision}">{words}</button></form></main></body></html>'
    )
