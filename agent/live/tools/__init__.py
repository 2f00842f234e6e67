"""One file a tool: what the assistant can do beside talking."""
