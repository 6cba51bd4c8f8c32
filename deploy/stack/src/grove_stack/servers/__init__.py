"""The servers that the suite stands on, each as a process with its files and its readiness."""
