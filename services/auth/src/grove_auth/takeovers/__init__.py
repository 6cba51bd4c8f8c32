"""Giving an account back to its owner."""
