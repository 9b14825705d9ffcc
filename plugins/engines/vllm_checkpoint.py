"""Checkpoints as vLLM takes them: what weights they have, and under which names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rrm_harness import Route, checkpoints
from rrm_harness.heads import refuse_random

DECODER = ("model.", "lm_head.")
"""What the names of weights begin with that are no head's."""


def adapted(place: Path, route: Route | None, into: str) -> Path:
    """The folder for vLLM to load: the model's own, or links to it and what differs.

    Config and names of weights are changed as the route says. Only a file that holds
    a renamed weight is copied, for its names are inside it; the others are linked.

    Args:
        place: The model's folder.
        route: How vLLM serves its head; None without one.
        into: An empty folder that outlives vLLM's start.

    Raises:
        EngineError: The checkpoint lacks the head's weights.
    """
    if route is None:
        return place
    held = checkpoints.weights(place)
    _refuse_headless(place, route, held)
    if not route.overrides and not route.renamed:
        return place
    made = Path(into)
    copied = {file for name, file in held.items() if name in route.renamed}
    changed = {*copied, place / checkpoints.INDEX, place / "config.json"}
    for each in place.iterdir():
        if each not in changed:
            (made / each.name).symlink_to(each.resolve())
    for file in copied:
        _copy(file, made / file.name, route.renamed)
    _write(made / "config.json", _config(place, route))
    if (place / checkpoints.INDEX).exists():
        names = {
            route.renamed.get(name, name): file.name for name, file in held.items()
        }
        _write(made / checkpoints.INDEX, {"metadata": {}, "weight_map": names})
    return made


def _refuse_headless(place: Path, route: Route, held: Mapping[str, Path]) -> None:
    """Refuse a checkpoint whose head would be random."""
    needed = [*route.renamed]
    if route.task == "classify" and "score.weight" not in route.renamed.values():
        needed.append("score.weight")
    missing = [name for name in needed if name not in held]
    if not missing and all(name.startswith(DECODER) for name in held):
        missing = ["of any head"]
    refuse_random(place, {"missing_keys": missing})


def _copy(file: Path, target: Path, renamed: Mapping[str, str]) -> None:
    """Copy a file with other names for its weights; what they hold stays as it is."""
    header, start = checkpoints.header(file)
    named = {renamed.get(name, name): where for name, where in header.items()}
    text = json.dumps(named).encode()
    text += b" " * (-len(text) % 8)
    with file.open("rb") as source, target.open("wb") as made:
        made.write(len(text).to_bytes(8, "little") + text)
        source.seek(start)
        shutil.copyfileobj(source, made, 16 << 20)


def _config(place: Path, route: Route) -> Mapping[str, Any]:
    config = checkpoints.config(place)
    if "num_labels" in route.overrides:  # transformers believes these first
        config = {k: v for k, v in config.items() if k not in ("id2label", "label2id")}
    if "model_type" in route.overrides:  # its own code would be asked for
        config.pop("auto_map", None)
    return {**config, **route.overrides}


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content), "utf-8")
