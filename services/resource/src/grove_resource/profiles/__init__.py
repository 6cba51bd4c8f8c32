"""Profiles: what users show of themselves."""
