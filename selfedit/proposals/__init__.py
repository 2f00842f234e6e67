"""From a request to an open review."""
