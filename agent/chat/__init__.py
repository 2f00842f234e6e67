"""Chat: one turn, from the question to the answer on its way out, and what people are told of it."""
