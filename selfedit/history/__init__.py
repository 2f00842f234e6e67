"""What happened, on disk and in git: the ledger, what it adds up to, and the signatures that prove it."""
