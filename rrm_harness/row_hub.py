"""Rows of the Hugging Face hub: of one commit, gated or not, or out of its cache."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rrm_harness import hub
from rrm_harness.errors import DataError
from rrm_harness.row_fields import Located

ELSEWHERE = "download it elsewhere and give the copy with path=FILE"


def from_hub(
    repository: str,
    split: str,
    revision: str | None = None,
    config: str | None = None,
    *,
    gated: bool = False,
) -> Iterator[Located]:
    """Yield (place, row) of a data set on the Hugging Face hub.

    Raises:
        DataError: It cannot be loaded; the message says how to use a local copy.
    """
    import datasets

    try:
        loaded = datasets.load_dataset(
            repository, config, split=split, revision=revision
        )
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{repository} (split {split}) cannot be loaded from the hub: {reason};"
            f" {_way_in(repository) if gated else ELSEWHERE}"
        ) from error
    _refuse_another_commit(repository, revision, loaded)
    for number, row in enumerate(loaded, 1):
        yield f"{repository} (split {split}), row {number}", row


def _refuse_another_commit(repository: str, revision: str | None, loaded: Any) -> None:
    """Refuse another commit's rows, which the library takes if the hub is out of reach.

    Raises:
        DataError: They are.
    """
    commits = {Path(each["filename"]).parent.name for each in loaded.cache_files}
    others = [each for each in sorted(commits - {revision}) if _COMMIT.fullmatch(each)]
    if others and _COMMIT.fullmatch(revision or ""):
        raise DataError(
            f"{repository} is in the cache as of {others[0]} and not of {revision}, and"
            f" the hub is out of reach; connect once, or {ELSEWHERE}"
        )


_COMMIT = re.compile("[0-9a-f]{40}")


def refuse_without_token(repository: str) -> None:
    """Refuse a gated set that is not here and that nobody may ask the hub for.

    Raises:
        DataError: There is no token and nothing of the set in the caches.
    """
    from datasets import config
    from huggingface_hub import constants, get_token

    kept = (
        Path(constants.HF_HUB_CACHE, f"datasets--{repository.replace('/', '--')}"),
        Path(config.HF_DATASETS_CACHE, repository.replace("/", "___")),
    )
    if get_token() is None and not any(folder.is_dir() for folder in kept):
        raise DataError(
            f"{repository} cannot be loaded without a token: {_way_in(repository)}"
        )


def _way_in(repository: str) -> str:
    return (
        "it is gated, so accept its terms at"
        f" https://huggingface.co/datasets/{repository} and set HF_TOKEN, or give a"
        " copy with path=FILE"
    )


def commit(repository: str, revision: str | None) -> str | None:
    """The commit that a revision is: as the hub says, or offline as it last said."""
    return hub.commit("dataset", repository, revision or "") or revision
