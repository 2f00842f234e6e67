"""Chat: a turn with its tools, what it may cost, and what is kept of it."""
