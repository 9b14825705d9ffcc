"""A judge of your own: a template and a few lines of TOML."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rrm_harness import Recipe, Register, Shape, SpecError, hookimpl
from rrm_harness.specs import nearest

TURNS = {"system": "system", "user": "prompt", "assistant": "prefill"}
"""A template's blocks, and the keys of a file that has no template of its own."""
DECODING = ("temperature", "top-p", "max-tokens", "no-system")
KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(["template", "parser", "model", "revision", *TURNS.values()], str),
    **dict.fromkeys(["fewest", "most", "max-tokens"], int),
    **dict.fromkeys(["temperature", "top-p"], (int, float)),
    **dict.fromkeys(["trust-remote-code", "no-system"], bool),
}


def from_file(
    file: Path, model: str = "", revision: str = "", trust_remote_code: bool = False
) -> Recipe:
    """A judge of your own, from a TOML file that names a template and a parser.

    Its keys: `template` (a path beside the file, or an installed name), or instead the
    text of the turns as `prompt`, `system` and `prefill`; `parser`; and as in other
    specs model, revision, trust-remote-code, temperature, top-p, max-tokens, no-system;
    `fewest` and `most` responses at a time, 2 unless given. A judge of one response at
    a time is pointwise.

    Raises:
        SpecError: The file cannot be read, or a key is unknown, missing or wrong.
    """
    said = _read(file)
    given: dict[str, Any] = {
        key.replace("-", "_"): said[key] for key in DECODING if key in said
    }
    made = Recipe(
        model=model or said.get("model", ""),
        revision=revision or said.get("revision", ""),
        trust_remote_code=trust_remote_code or said.get("trust-remote-code", False),
        template=_template(file, said),
        parser=said["parser"],
        **given,
    )
    fewest = said.get("fewest", min(2, said.get("most", 2)))
    made.take(Shape("", "", fewest, said.get("most", max(2, fewest))))
    return made


def _read(file: Path) -> dict[str, Any]:
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SpecError(f"recipe,file={file}: {error}; give a TOML file") from error
    for key, value in said.items():
        if key not in KINDS:
            raise SpecError(f"{file} has the key '{key}'; {nearest(key, list(KINDS))}")
        fits = isinstance(value, KINDS[key])
        if not fits or (isinstance(value, bool) and KINDS[key] is not bool):
            raise SpecError(f"{file}: {key} = {value!r} is not of the kind it must be")
    if "parser" not in said or ("template" in said) == ("prompt" in said):
        raise SpecError(
            f"{file} needs parser = NAME (rrm-harness list parsers) and either"
            " template = FILE or prompt = TEXT"
        )
    return said


def _template(file: Path, said: Mapping[str, Any]) -> str:
    """The path beside the file or the installed name; else the text of the turns."""
    if "template" in said:
        beside = file.parent / said["template"]
        return str(beside) if beside.is_file() else str(said["template"])
    return "".join(
        f"{{% block {block} %}}\n{said[key].rstrip()}\n{{% endblock %}}\n"
        for block, key in TURNS.items()
        if key in said
    )


@hookimpl
def register_judges(register: Register) -> None:
    register("recipe", from_file)
