"""What can be permitted, and the roles that are there from the start."""

from collections.abc import Collection
from dataclasses import dataclass

USER_SCOPES = frozenset(
    f"{area}:{verb}"
    for area in ("tasks", "profile", "moments", "notifications", "webhooks", "connections")
    for verb in ("read", "write")
) | {"account:read"}

UNENROLLED = frozenset({"account:read"})
"""What a role that needs a second factor may do until there is one: enough to add it."""

PERMISSIONS: dict[str, str] = {
    "users:read": "Look at all accounts.",
    "users:write": "Create, change, import and delete accounts, and give them roles.",
    "users:block": "Block and unblock accounts, and end their sessions.",
    "roles:write": "Look at roles, and create, change and delete them.",
    "audit:read": "Search the audit log.",
    "tokens:revoke": "Make all access tokens of an account, or of everybody, invalid.",
    "keys:rotate": "Replace the key that signs access tokens.",
    "mail:read": "Look at mails that were sent.",
    "mail:resend": "Send a mail again.",
    "events:read": "Look at events that could not be handled.",
    "events:replay": "Have events handled again.",
    "providers:revoke": "Cut all connections to a provider.",
    "ops:view": "See the operators' pages of the portal.",
}
"""Each permission, and what it lets somebody do."""

ADMIN = "admin"
ADMIN_RANK = 100
"""Only `admin` has it: who ranks so acts on everybody."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A role that is made with the database."""

    name: str
    description: str
    permissions: frozenset[str]
    rank: int


BUILT_IN = (
    BuiltIn("user", "Everybody: works with what is their own.", frozenset(), 0),
    BuiltIn("moderator", "Sees accounts and blocks them.", frozenset({"users:read", "users:block"}), 10),
    BuiltIn(ADMIN, "May do everything.", frozenset(PERMISSIONS), ADMIN_RANK),
)


def scopes_of(roles: Collection[str]) -> frozenset[str]:
    """What every account may do with its own data."""
    return USER_SCOPES if roles else frozenset()
