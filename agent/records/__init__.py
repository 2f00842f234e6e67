"""What is written down: what was said, called and spent, and who may still spend what today."""
