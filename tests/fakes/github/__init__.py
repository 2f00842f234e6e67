"""A GitHub of its own on loopback, with a real repository behind it."""
