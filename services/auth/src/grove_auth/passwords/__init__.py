"""Passwords: rules, hashing."""
