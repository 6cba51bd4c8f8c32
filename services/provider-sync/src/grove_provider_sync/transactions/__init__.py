"""Transactions at providers."""
