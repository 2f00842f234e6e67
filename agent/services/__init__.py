"""What tools are lent: the net, the sandbox, databases and files, each behind its own bounds."""
