"""The gate: judges the exact tree that would become `main`, in sandboxes that no candidate has been in before."""
