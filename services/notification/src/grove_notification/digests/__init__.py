"""Digests: what would be many mails becomes one."""
