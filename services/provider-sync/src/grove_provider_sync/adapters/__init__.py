"""One folder for each provider. The registry finds them by themselves."""
