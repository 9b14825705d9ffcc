"""The output directory of a run: one run, one writer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from rrm_harness.answers import TITLES
from rrm_harness.errors import DataError, OutputError, SpecError
from rrm_harness.files import dumps, read_json, write_whole
from rrm_harness.store import RunStore, holds_judgments

MANIFEST, RESULTS, OUTCOMES = "manifest.json", "results.json", "outcomes.jsonl"
STORE, LOCK, RECEIPT = "judgments.sqlite", ".lock", "receipt.json"
NEIGHBORS = 32
DIGEST = partial(blake2b, digest_size=16)
"""Of outcomes.jsonl; results.json has it, so that it is read beside no other."""
SEALED = 2
"""The format of results.json that has a digest of itself; there was one before."""


class RunDirectory:
    """A directory locked for one run; judgments, outcomes, results and manifest.

    Args:
        path: The directory; made if missing.
        run: What the run is, as the manifest keeps it. The directory of another run
            is refused.
        reuse: Directories of other runs whose judgments may be used; the neighbors
            in the same folder unless told.

    Raises:
        OutputError: The directory is not writable, in use, not empty, or another
            run's.
        StoreError: The store in it cannot be used.
    """

    def __init__(
        self,
        path: Path,
        run: Mapping[str, Any],
        reuse: Sequence[str | Path] | None = None,
    ) -> None:
        self.path = path
        self._run = dict(run)
        self._manifest = path / MANIFEST
        self._claimed = False
        self._prepare()
        self._lock = self._locked()
        try:
            self._refuse_another_run()
            if reuse is None:
                stores = list(islice(self._neighboring_stores(), NEIGHBORS))
            else:
                stores = [_asked_for(other) for other in reuse]
            self.store = RunStore(path / STORE, stores)
        except BaseException:
            self._lock.close()
            raise
        self._part = path / f"{OUTCOMES}.part"
        self._lines = self._part.open("w", encoding="utf-8")
        self._digest = DIGEST()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # on a full disk; what it holds is of no use any more
            self._lines.close()
            if kind is None:
                self._part.unlink(missing_ok=True)
        try:
            if self._claimed and isinstance(error, SpecError | DataError):
                self._give_up()
            self.store.close()
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # an engine's processes have it too
            self._lock.close()

    def write_outcome(self, line: Mapping[str, Any]) -> None:
        """Add an example's line to outcomes.jsonl, seen once the run is finished."""
        text = dumps(line) + "\n"
        self._digest.update(text.encode())
        try:
            self._lines.write(text)
        except OSError as error:
            raise _unwritable(self._part, error) from error

    @property
    def digest(self) -> str:
        """The digest of all outcomes so far."""
        return self._digest.hexdigest()

    def finish(self, results: Mapping[str, Any]) -> None:
        """Make judgments durable, then put outcomes and results in place."""
        self.store.commit()
        try:
            self._lines.flush()
            os.fsync(self._lines.fileno())
            self._part.replace(self.path / OUTCOMES)
        except OSError as error:
            raise _unwritable(self.path / OUTCOMES, error) from error
        write_whole(self.path / RESULTS, sealed(results))

    def _prepare(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = [each for each in os.listdir(self.path) if not _is_ours(each)]
        except OSError as error:
            raise _unwritable(self.path, error) from error
        if foreign and not (self.path / MANIFEST).is_file():
            raise OutputError(
                f"{self.path} holds other files ('{min(foreign)}') and no run; give an"
                " empty or new directory as --output"
            )

    def _locked(self) -> TextIO:
        try:
            lock = (self.path / LOCK).open("w")
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise OutputError(
                f"{self.path} is in use by a run that has not ended; wait for it, or"
                " give another --output"
            ) from error
        except OSError as error:
            lock.close()
            raise _unwritable(self.path, error) from error
        return lock

    def _refuse_another_run(self) -> None:
        """Claim the directory for this run, or refuse it as another's."""
        earlier = self._earlier_run()
        if earlier == self._run:
            if not self._manifest.is_file():
                self._write_manifest()
            return
        if earlier is None or not self._worth_keeping():
            if earlier is not None:
                for each in self.path.glob(f"{STORE}*"):
                    each.unlink()
            self._write_manifest()
            self._claimed = True
            return
        for key in sorted(self._run.keys() | earlier.keys()):
            if earlier.get(key) != self._run.get(key):
                raise OutputError(
                    f"{self.path} holds another run ({key} is {earlier.get(key)!r}"
                    f" there and {self._run.get(key)!r} here); give another --output;"
                    " beside it, what both ask is reused"
                )

    def _write_manifest(self, **told: Any) -> None:
        write_whole(self._manifest, dumps({"run": self._run, **told}, indent=2) + "\n")

    def _give_up(self) -> None:
        """Leave the directory to the mended command, and what was judged to all."""
        if self.store.count():
            self._write_manifest(given_up=True)
        else:
            self._manifest.unlink(missing_ok=True)

    def _earlier_run(self) -> dict[str, Any] | None:
        """What the manifest says, or without one the results; None if neither is."""
        source, told = self._manifest, None
        if source.is_file():
            told = read_json(source)
            if told.get("given_up"):
                return None
        elif (source := self.path / RESULTS).is_file():
            told = read_results(source).get("manifest")
        else:
            return None
        earlier = told.get("run") if isinstance(told, dict) else None
        if not isinstance(earlier, dict):
            raise OutputError(
                f"{source} is another program's; give an empty or new directory as"
                " --output"
            )
        return earlier

    def _neighboring_stores(self) -> Iterator[Path]:
        """The stores of our own runs of the same judge in the same folder.

        The folder itself may be a run: the one that a study began as.
        """
        folder = self.path.absolute().parent
        stores = [*folder.glob(f"*/{STORE}"), *folder.glob(STORE)]
        for store in sorted(stores, key=_age):
            try:
                ours = store.stat().st_uid == os.getuid()
                itself = store.parent.samefile(self.path)
                earlier = read_json(store.with_name(MANIFEST)).get("run")
            except (OSError, OutputError):
                continue
            if ours and not itself and self._shares_a_judge(earlier):
                yield store

    def _shares_a_judge(self, run: Any) -> bool:
        """Whether any judge is one of the other run's, perhaps in another role."""
        return isinstance(run, dict) and not _judges(run).isdisjoint(_judges(self._run))

    def _worth_keeping(self) -> bool:
        """Whether the run that claimed this directory got as far as a judgment."""
        finished = (self.path / RESULTS).exists()
        store = self.path / STORE
        return finished or (store.exists() and holds_judgments(store))


def _judges(run: Mapping[str, Any]) -> set[str]:
    return {str(run[title]) for title in TITLES.values() if title in run}


def _is_ours(name: str) -> bool:
    known = (LOCK, MANIFEST, RESULTS, OUTCOMES, RECEIPT)
    return name in known or name.startswith(STORE) or name.endswith(".part")


def _age(store: Path) -> tuple[float, str]:
    """Newest first; a store that has just gone is last."""
    try:
        return -store.stat().st_mtime, str(store)
    except OSError:
        return 0.0, str(store)


def read_results(path: Path) -> dict[str, Any]:
    """Read a results.json, without the digest that says whether it is as written.

    Raises:
        OutputError: It is missing or not what we wrote.
    """
    content = read_json(path)
    digest = content.pop("digest", None)
    if content.get("format") == SEALED and digest != _digest(content):
        raise OutputError(
            f"{path} is damaged (it does not fit its digest); delete it and run the"
            " same command again: no judgment is lost"
        )
    return content


def sealed(results: Mapping[str, Any]) -> str:
    """Results as JSON, with a digest of what they say, however it is laid out."""
    return dumps({**results, "digest": _digest(results)}, indent=2) + "\n"


def _digest(content: Mapping[str, Any]) -> str:
    return DIGEST(dumps(content).encode()).hexdigest()


def _asked_for(directory: str | Path) -> Path:
    store = Path(directory) / STORE
    if not store.is_file():
        raise OutputError(
            f"{directory} holds no judgments to reuse; give the --output directory of"
            " another run"
        )
    holds_judgments(store)  # or says why it cannot be read
    return store


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path} cannot be written ({error.strerror}); give another --output"
    )
