"""Mails that tell owners what happened to their account, each with a link that says it was not them."""
