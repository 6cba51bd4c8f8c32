"""Other addresses for accounts, and taking such a change back."""
