"""Run a command in isolation."""
