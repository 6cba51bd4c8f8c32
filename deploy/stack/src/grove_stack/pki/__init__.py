"""The internal certificate authority."""
