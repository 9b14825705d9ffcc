"""Cards of the published models that the built-in judges run."""

from importlib.resources import files

from rrm_harness import RegisterFolder, hookimpl


@hookimpl
def register_models(register: RegisterFolder) -> None:
    """Offer each TOML file of this folder."""
    for file in files(__name__).iterdir():
        if file.name.endswith(".toml"):
            register(file.name.removesuffix(".toml"), file)
