"""Folders of lm-eval task files."""

from importlib.resources import files

from rrm_harness.hookspecs import RegisterFolder, hookimpl


@hookimpl
def register_tasks(register: RegisterFolder) -> None:
    """Offer the built-in tasks."""
    register("rrm-harness", files(__name__))
