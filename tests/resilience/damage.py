"""What a power cut, or a disk that lies, does to a file; each is drawn from a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rrm_harness import chance

SECTOR = 512
Damage = Callable[[bytes, float], bytes]


def cut(content: bytes, drawn: float) -> bytes:
    """Its end is missing."""
    return content[: int(drawn * len(content))]


def emptied(content: bytes, drawn: float) -> bytes:  # noqa: ARG001
    """It has its name and nothing else."""
    return b""


def zeroed(content: bytes, drawn: float) -> bytes:
    """It has its length, and zeros from some byte on."""
    kept = cut(content, drawn)
    return kept.ljust(len(content), b"\0")


def with_a_hole(content: bytes, drawn: float) -> bytes:
    """One sector was never written."""
    return _with_sector(content, drawn, bytes(SECTOR))


def garbled(content: bytes, drawn: float) -> bytes:
    """One sector holds something else."""
    noise = b"".join(
        chance.digest("noise", repr(drawn), n) for n in range(SECTOR // 16)
    )
    return _with_sector(content, drawn, noise)


def _with_sector(content: bytes, drawn: float, sector: bytes) -> bytes:
    start = int(drawn * len(content)) // SECTOR * SECTOR
    end = min(start + SECTOR, len(content))
    return content[:start] + sector[: end - start] + content[end:]


DAMAGES: dict[str, Damage] = {
    each.__name__: each for each in (cut, emptied, zeroed, with_a_hole, garbled)
}


def damage(file: Path, name: str, key: int) -> None:
    """Damage a file."""
    drawn = chance.uniform("damage", file.name, name, key)
    file.write_bytes(DAMAGES[name](file.read_bytes(), drawn))


def flip(file: Path, key: int) -> None:
    """Let one bit of a file be another, as a disk does that ages."""
    content = bytearray(file.read_bytes())
    bit = int(chance.uniform("flip", file.name, key) * 8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)


def torn_pages(store: Path, key: int) -> int:
    """Garble pages of a store that its WAL has as well, as a cut in a checkpoint does.

    Returns:
        How many.
    """
    wal = store.with_name(store.name + "-wal").read_bytes()
    size = int.from_bytes(wal[8:12], "big")
    frames = range(32, len(wal) - size - 23, 24 + size)
    pages = {int.from_bytes(wal[at : at + 4], "big") for at in frames}
    content = bytearray(store.read_bytes().ljust(size * max(pages), b"\0"))
    torn = [each for each in sorted(pages) if chance.coin("tear", key, each)]
    for page in torn:
        start = (page - 1) * size + SECTOR * int(8 * chance.uniform("at", key, page))
        content[start : start + SECTOR] = b"\xaa" * SECTOR
    store.write_bytes(content)
    return len(torn)
