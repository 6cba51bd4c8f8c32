"""Mails: queued with the event that asks for them, sent by SMTP, tried again, never lost."""
