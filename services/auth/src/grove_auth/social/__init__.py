"""Sign-in through outside issuers: a browser goes there and comes back with a code for tokens."""
