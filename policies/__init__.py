"""What is allowed: pure functions over plain data, and the numbers and lists they read."""
