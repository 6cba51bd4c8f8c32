"""Every router of the service."""

from fastapi import APIRouter

from grove_auth.admin import endpoints as admin
from grove_auth.api_keys import endpoints as api_keys
from grove_auth.audit import endpoints as audit
from grove_auth.captcha import endpoints as captcha
from grove_auth.devices import endpoints as devices
from grove_auth.email_changes import endpoints as email_changes
from grove_auth.export import endpoints as export
from grove_auth.identities import endpoints as identities
from grove_auth.imports import endpoints as imports
from grove_auth.keys import endpoints as keys
from grove_auth.mfa import endpoints as mfa
from grove_auth.passkeys import endpoints as passkeys
from grove_auth.passwords import endpoints as passwords
from grove_auth.registrations import endpoints as registrations
from grove_auth.revocations import endpoints as revocations
from grove_auth.roles import endpoints as roles
from grove_auth.sessions import endpoints as sessions
from grove_auth.sign_ins import endpoints as sign_ins
from grove_auth.social import endpoints as social
from grove_auth.takeovers import endpoints as takeovers
from grove_auth.token_versions import endpoints as token_versions
from grove_auth.users import endpoints as users

ROUTERS: tuple[APIRouter, ...] = (
    registrations.router,
    sign_ins.router,
    sessions.router,
    passwords.router,
    passkeys.router,
    email_changes.router,
    takeovers.router,
    users.router,
    admin.router,
    imports.router,
    roles.router,
    keys.router,
    api_keys.router,
    token_versions.router,
    revocations.router,
    audit.router,
    export.router,
    captcha.router,
    mfa.router,
    devices.router,
    social.router,
    identities.router,
)
