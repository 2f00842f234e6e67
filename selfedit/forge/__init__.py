"""Where proposals are shown to reviewers."""
