"""Chance as a keyed, stable hash: same key, same draw, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

Key = str | int


def digest(*key: Key) -> bytes:
    """Return 16 bytes that depend on the key's parts and on nothing else."""
    return blake2b(_joined(key), digest_size=16).digest()


class Prefix:
    """The first parts of many keys, hashed but once."""

    def __init__(self, *key: Key) -> None:
        self._begun = blake2b(_joined(key), digest_size=16)

    def digest(self, *key: Key) -> bytes:
        """As `digest` of the first parts and these."""
        begun = self._begun.copy()
        begun.update(_joined(key))
        return begun.digest()

    def seed(self, *key: Key) -> int:
        """As `seed` of the first parts and these."""
        return int.from_bytes(self.digest(*key)[:4], "big")


def _joined(key: Sequence[Key]) -> bytes:
    """The parts one after another, each behind its length."""
    told = []
    for part in key:
        text = str(part).encode("utf-8", "surrogatepass")
        told.append(len(text).to_bytes(8, "big"))
        told.append(text)
    return b"".join(told)


def seed(*key: Key) -> int:
    """Return an unsigned 32-bit seed."""
    return int.from_bytes(digest(*key)[:4], "big")


def uniform(*key: Key) -> float:
    """Return a number in [0, 1)."""
    return (int.from_bytes(digest(*key)[:7], "big") >> 3) / 2**53


def coin(*key: Key) -> bool:
    """Toss a fair coin."""
    return bool(digest(*key)[0] & 1)


def permutation(count: int, *key: Key) -> tuple[int, ...]:
    """Return 0 … count-1 in a random order."""
    draws = [*map(Prefix(*key).digest, range(count))]  # as `digest(*key, index)`
    return tuple(sorted(range(count), key=draws.__getitem__))
