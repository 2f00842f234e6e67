"""What the agent may change of itself: tools, prompts and strategies."""
