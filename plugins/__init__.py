"""Built-in plugins; folders mirror the hooks."""
