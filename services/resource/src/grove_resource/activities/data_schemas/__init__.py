"""JSON Schemas that users write: what one may be, what it costs, and whether data satisfies it."""
