"""Providers: one small interface, an adapter each."""
