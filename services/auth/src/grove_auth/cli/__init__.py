"""`grove auth …`: works on auth's store directly, with auth's own settings."""

import typer

from grove_auth.cli import keys, sessions, tokens, users

commands = typer.Typer(
    help="Accounts, sessions, tokens, signing keys. Works on auth's database directly.", no_args_is_help=True
)
commands.add_typer(users.commands, name="users")
commands.add_typer(sessions.commands, name="sessions")
commands.add_typer(tokens.commands, name="tokens")
commands.add_typer(keys.commands, name="keys")
