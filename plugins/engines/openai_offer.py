"""What a server says it serves, and whether another one serves the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TELLING = ("max_model_len", "n_params", "size", "n_vocab", "n_embd", "n_ctx", "ftype")
"""What vLLM (the first) and llama.cpp (in `meta`) tell of a model. With another context
the same prompt would be too long for one server alone."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A server's model as far as it is told; without a name it is not."""

    where: str
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, where: object, models: Sequence[Mapping[str, Any]], served: str
    ) -> Offer:
        """Read `/v1/models`: the model that is asked for, or the only one there is.

        A server of one model, such as llama.cpp's, may take any name for it. Of many
        without the one that is asked for, nothing can be said.
        """
        named = [each for each in models if each.get("id") == served]
        found = named or models
        if len(found) != 1:
            return cls(str(where))
        meta = found[0].get("meta")
        said = {**found[0], **(meta if isinstance(meta, Mapping) else {})}
        facts = {key: said[key] for key in TELLING if said.get(key) is not None}
        return cls(str(where), str(said.get("id", "")), facts)

    def unlike(self, other: Offer) -> str:
        """Say how two offers differ; empty if they do not, as far as they tell."""
        if not self.name or not other.name:
            return ""
        apart = [
            key
            for key in self.facts.keys() & other.facts.keys()
            if self.facts[key] != other.facts[key]
        ]
        same = self._base == other._base  # a file may lie in another folder
        if same and not apart:
            return ""
        return (
            f"{other.where} serves {other.told(apart)} and {self.where} serves"
            f" {self.told(apart)}; all addresses in url must serve the same model: take"
            " one out, or start it anew"
        )

    @property
    def _base(self) -> str:
        return self.name.rpartition("/")[2]

    def told(self, facts: Sequence[str]) -> str:
        """The name, and some facts."""
        shown = ", ".join(f"{key} {self.facts[key]}" for key in sorted(facts))
        return f"'{self.name}'" + (f" ({shown})" if shown else "")
