"""Finished runs set against each other: differences, tests, agreement, ranks."""
