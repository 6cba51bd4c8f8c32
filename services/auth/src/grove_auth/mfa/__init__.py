"""Second factors: authenticator apps, codes by SMS and mail, backup codes, and the way back without them."""
