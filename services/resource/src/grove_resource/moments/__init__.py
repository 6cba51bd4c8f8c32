"""Moments: each time that a user did something."""
