"""Schwab's Trader API, played under /schwab for the bank's customers: sign-in, accounts, transactions by dates."""

from fastapi import FastAPI

from grove_sandbox.schwab import oauth, trader


def install(app: FastAPI) -> None:
    """Offer it."""
    app.include_router(oauth.pages)
    app.include_router(oauth.router)
    app.include_router(trader.router)
