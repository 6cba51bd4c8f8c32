"""Tokens of providers: at rest, in use, and given back."""
