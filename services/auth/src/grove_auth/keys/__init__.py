"""Signing keys and JWKS."""
