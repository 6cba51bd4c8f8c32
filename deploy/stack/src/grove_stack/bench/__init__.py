"""`make bench`: what the suite costs beside the bare drivers, in one run."""
