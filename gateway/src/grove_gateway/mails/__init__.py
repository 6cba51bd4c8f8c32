"""How mails look, for operators."""
