"""Moving accounts here from another system, with the password hashes that it made."""
