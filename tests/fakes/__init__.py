"""Stand-ins for what Theseus talks to, shared by the tests."""
