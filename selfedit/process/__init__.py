"""The steward as a process: where every question is answered, and what asks."""
