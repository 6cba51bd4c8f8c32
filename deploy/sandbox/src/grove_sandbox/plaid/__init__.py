"""Plaid, as its published API (version 2020-09-14) behaves: the same customers as the bank's, under `/plaid`."""

from fastapi import FastAPI

from grove_sandbox.plaid import control, data, items, link, signing
from grove_sandbox.plaid.errors import PlaidError, answer
from grove_sandbox.plaid.memory import Memory


def install(app: FastAPI) -> None:
    """Have the app play Plaid too."""
    app.state.plaid = Memory()
    app.add_exception_handler(PlaidError, answer)
    for module in (link, items, data, signing, control):
        app.include_router(module.router)
