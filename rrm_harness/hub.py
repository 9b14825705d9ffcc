"""What a revision on the hub is now, or last was where the hub is out of reach."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal

from rrm_harness.files import write_whole


@cache
def commit(kind: Literal["model", "dataset"], name: str, revision: str) -> str:
    """Return the commit that a revision is, the same all through the process.

    An answer is kept where the hub's own library keeps such: that library does not do
    it for what is downloaded by its commit, and without it nothing could be found
    again offline. Empty if neither the hub nor the cache knows it.
    """
    from huggingface_hub import HfApi

    known = _kept(kind, name, revision)
    try:
        ask = getattr(HfApi(), f"{kind}_info")
        found = str(ask(name, revision=revision or None).sha)
    except Exception:  # no network, no consent, no such repository: the load will tell
        return known.read_text().strip() if known.is_file() else ""
    if found != revision and not (known.is_file() and known.read_text() == found):
        write_whole(known, found)
    return found


def _kept(kind: str, name: str, revision: str) -> Path:
    """The file of the cache that says what a revision is."""
    from huggingface_hub import constants

    folder = f"{kind}s--{name.replace('/', '--')}"
    plain = re.sub(r"\.\.+", ".", revision or "main").strip("/")
    return Path(constants.HF_HUB_CACHE, folder, "refs", plain)
