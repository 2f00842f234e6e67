"""The same where `main` lives on a forge: what is asked for there, followed, and kept in agreement."""
