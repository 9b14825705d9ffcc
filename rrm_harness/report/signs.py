"""Characters that a reader would not see, or that reorder what they see, made visible.

The page's own script does the same to the texts that it shows (`page-dom.js`).
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]+|\r(?!\n)"
)
"""Controls, marks of direction, lone surrogates, tags. What joins letters or emoji
(U+200C, U+200D) has its use and stays."""


def visible(text: str) -> str:
    """The text with unseen characters as their numbers, such as ⟨U+202E⟩."""
    return _UNSEEN.sub(_numbers, text)


def _numbers(found: re.Match[str]) -> str:
    return "⟨" + " ".join(f"U+{ord(sign):04X}" for sign in found[0]) + "⟩"
