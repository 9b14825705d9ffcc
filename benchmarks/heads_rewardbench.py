"""The rewardbench package's own command on a CPU; benchmarks/heads.py starts it.

    PYTHON benchmarks/heads_rewardbench.py CLOCK SECONDS_FILE [REWARDBENCH OPTIONS]

PYTHON is that of the package's own environment. Two things are changed: where its
pipeline says "cuda" it gets "cpu", and its loop over batches is timed, from the first
batch to the last, with its tokenizing and without its imports and loading.
"""

import sys
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Run it; the seconds of its loop go to the file."""
    from transformers import BatchEncoding

    command = import_module("rewardbench.rewardbench")
    clocks = {"wall": time.perf_counter, "processor": time.process_time}
    clock, seconds = clocks[sys.argv.pop(1)], Path(sys.argv.pop(1))
    move = BatchEncoding.to

    def timed(batches: Iterable[Any], **_: Any) -> Iterator[Any]:
        started = clock()
        yield from batches
        seconds.write_text(str(clock() - started))

    BatchEncoding.to = lambda self, device: move(self, device.replace("cuda", "cpu"))
    command.tqdm = timed
    command.main()


if __name__ == "__main__":
    main()
