"""Facts → what a user reads."""
