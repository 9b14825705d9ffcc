"""Jinja templates of prompts and reports."""

from importlib.resources import files

from rrm_harness.hookspecs import RegisterFolder, hookimpl


@hookimpl
def register_templates(register: RegisterFolder) -> None:
    """Offer the built-in templates by their paths."""
    register("", files(__name__))
