"""What people are told of proposals and of how things stand."""
