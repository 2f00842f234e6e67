"""What runs inside the sandbox. The gate sends the sources in; nothing here is ever imported next to the steward."""
