"""Closing accounts, and whether every service erased its part."""
