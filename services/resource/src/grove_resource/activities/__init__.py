"""Activities: what people log, each with a JSON Schema for its moments."""
