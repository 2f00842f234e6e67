"""Talk, think and draft code."""
