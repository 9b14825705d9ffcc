"""Datasets: the user's own rows and the published benchmarks, each with its rule."""
