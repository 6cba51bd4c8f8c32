"""The events services exchange. Pydantic only; imports nothing else of grove."""
