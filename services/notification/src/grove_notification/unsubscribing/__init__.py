"""Switching mails off by a link in one of them."""
