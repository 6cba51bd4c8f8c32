"""Accounts and transactions from outside providers."""
