"""The life of a proposal as it is reviewed in chat: its card, the buttons on it, diff pages and the thread below it."""
