"""The forge that needs GitHub: `main` lives there, and proposals are pull requests."""
