"""From a request to running code and back: the steward."""
