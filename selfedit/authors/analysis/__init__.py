"""Maintenance's eyes: analysers over live code, run inside the sandbox, and what they find as edits."""
