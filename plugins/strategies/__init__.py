"""Strategies: which comparisons to ask, and what the answers amount to."""
