"""`grove auth …`: works on auth's store directly, with auth's own settings."""

import typer

from grove_auth.audit.cli import audit
from grove_auth.cli import keys, sessions, tokens, users
from grove_auth.imports.cli import import_users

commands = typer.Typer(
    help="Accounts, sessions, tokens, signing keys, the audit log. Works on auth's database directly.",
    no_args_is_help=True,
)
commands.add_typer(users.commands, name="users")
commands.add_typer(sessions.commands, name="sessions")
commands.add_typer(tokens.commands, name="tokens")
commands.add_typer(keys.commands, name="keys")
commands.add_typer(audit, name="audit")
users.commands.command("import")(import_users)
