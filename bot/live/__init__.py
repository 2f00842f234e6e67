"""Features that may be changed by proposals: one folder each, loaded by name, never imported."""
