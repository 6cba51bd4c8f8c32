"""Linked identities: the accounts elsewhere that open an account here."""
