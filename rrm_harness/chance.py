"""Chance as a keyed, stable hash: same key, same draw, on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

Key = str | int


def digest(*key: Key) -> bytes:
    """Return 16 bytes that depend on the key's parts and on nothing else."""
    return _hashed(blake2b(digest_size=16), key).digest()


def _hashed(begun: blake2b, key: Sequence[Key]) -> blake2b:
    """Add the parts one after another, each behind its length."""
    for part in key:
        text = str(part).encode("utf-8", "surrogatepass")
        begun.update(len(text).to_bytes(8, "big"))
        begun.update(text)
    return begun


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
    begun = _hashed(blake2b(digest_size=16), key)
    draws = [  # as `digest(*key, index)`, the key hashed but once
        _hashed(begun.copy(), (index,)).digest() for index in range(count)
    ]
    return tuple(sorted(range(count), key=draws.__getitem__))
