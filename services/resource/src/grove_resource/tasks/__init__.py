"""Tasks: what people mean to do."""
