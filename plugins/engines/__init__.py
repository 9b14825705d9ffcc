"""Engines: what runs requests. None is built in yet; plugins add them."""
