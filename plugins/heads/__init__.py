"""Built-in reward heads."""
