"""Sign-in, refresh, sessions."""
