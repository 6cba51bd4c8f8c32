"""What the tests of all parts need: real servers, and the runner of `make test`."""
