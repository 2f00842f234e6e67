"""The authors that need no model."""
