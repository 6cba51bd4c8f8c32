"""Roles, and what each may do."""

USER_SCOPES = frozenset(
    f"{area}:{verb}"
    for area in ("tasks", "profile", "moments", "notifications", "webhooks", "connections")
    for verb in ("read", "write")
) | {"account:read"}

UNENROLLED = frozenset({"account:read"})
"""What somebody may do whose role needs a second factor, until there is one."""

PERMISSIONS: dict[str, frozenset[str]] = {
    "user": frozenset(),
    "moderator": frozenset({"users:read", "users:block"}),
    "admin": frozenset(
        {
            "users:read",
            "users:write",
            "users:block",
            "roles:write",
            "audit:read",
            "tokens:revoke",
            "keys:rotate",
            "mail:read",
            "mail:resend",
            "events:read",
            "events:replay",
            "providers:revoke",
            "ops:view",
        }
    ),
}


def permissions_of(roles: list[str]) -> frozenset[str]:
    """What the roles permit together."""
    return frozenset().union(*(PERMISSIONS.get(role, frozenset()) for role in roles))


def scopes_of(roles: list[str]) -> frozenset[str]:
    """What every account may do with its own data."""
    return USER_SCOPES if roles else frozenset()
