"""What the bot runs: which commit, how it is loaded, in which process, how it is watched and proven."""
