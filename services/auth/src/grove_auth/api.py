"""Every router of the service."""

from fastapi import APIRouter

from grove_auth.admin import endpoints as admin
from grove_auth.api_keys import endpoints as api_keys
from grove_auth.keys import endpoints as keys
from grove_auth.passwords import endpoints as passwords
from grove_auth.registrations import endpoints as registrations
from grove_auth.revocations import endpoints as revocations
from grove_auth.sessions import endpoints as sessions
from grove_auth.sign_ins import endpoints as sign_ins
from grove_auth.token_versions import endpoints as token_versions
from grove_auth.users import endpoints as users

ROUTERS: tuple[APIRouter, ...] = (
    registrations.router,
    sign_ins.router,
    sessions.router,
    passwords.router,
    users.router,
    admin.router,
    keys.router,
    api_keys.router,
    token_versions.router,
    revocations.router,
)
