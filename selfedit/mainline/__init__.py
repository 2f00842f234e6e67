"""What moves `main`: merging, taking back, adopting what people put there."""
