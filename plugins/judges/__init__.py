"""Judges that need no model: recorded answers and trivial baselines."""
