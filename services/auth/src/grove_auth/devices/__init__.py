"""Browsers that may skip the second factor for a time."""
