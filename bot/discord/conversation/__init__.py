"""Talking: what a message says to us, an answer that grows while it is written, and edits and deletes that are followed."""
