"""Bytes that people bring: attachments and photos, in a local folder or an S3-compatible store."""
