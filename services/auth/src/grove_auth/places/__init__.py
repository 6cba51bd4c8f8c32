"""From where, and with what, accounts sign in."""
