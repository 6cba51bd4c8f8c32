"""Mails on their way: which go next, over kept connections, and what became of each."""
