"""Passkeys: signing in, and proving again who you are, by WebAuthn."""
