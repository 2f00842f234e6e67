"""The gate's checks, a module for each sandbox that they run in."""
