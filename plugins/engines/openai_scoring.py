"""The routes to a score, which is always asked for raw.

What puts a sigmoid or a softmax on it cannot be told from its answer alone, so vLLM is
told each time not to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rrm_harness import Completion, EngineError, Score

from .openai_route import Route, messages, usage


class Scoring(Route):
    """What the routes to a score have in common."""

    kind = "score"

    def scored(self, said: Any, rows: Sequence[Sequence[Any]]) -> Completion:
        """The completion of raw outputs, (positions, outputs)."""
        values = [tuple(map(_number, row)) for row in rows]
        if not values or not all(values):
            raise ValueError("no score")
        found = (
            self.shared.reader.score(values) if self.shared.reader else Score(values[0])
        )
        prompt, _ = usage(said)
        return Completion(
            scores=tuple(found.values),
            attributes=dict(found.attributes),
            prompt_tokens=prompt,
            notes=self.notes,
        )


class Classify(Scoring):
    """vLLM's `/classify`, raw; without a tokenizer the server renders the chat."""

    path = "/classify"

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.shared.served, "use_activation": False}
        if self.encoded is None and not self.shared.options.model.head:
            if self.request.chat_options:
                body["chat_template_kwargs"] = dict(self.request.chat_options)
            return body | {"messages": messages(self.request)}
        return body | {"input": self.ids()}

    def read(self, said: Any) -> Completion:
        probs = _only(said["data"])["probs"]
        if len(probs) > 1 and min(probs) >= 0 and abs(sum(probs) - 1) < 1e-6:
            raise EngineError(
                "the server squashes its scores, though told use_activation=false:"
                " they sum to 1; a vLLM that heeds it is needed, or start it with"
                """ --pooler-config '{"use_activation": false}'"""
            )
        return self.scored(said, [probs])


class Pooling(Scoring):
    """vLLM's `/pooling` of each token; the head says which tokens count.

    The server runs with `--runner pooling --pooler-config '{"pooling_type": "ALL"}'`.
    """

    path = "/pooling"

    def body(self) -> dict[str, Any]:
        return {
            "model": self.shared.served,
            "input": self.ids(),
            "task": "token_classify",
            "use_activation": False,
            "encoding_format": "float",
        }

    def read(self, said: Any) -> Completion:
        rows = _only(said["data"])["data"]
        ids = self.ids()
        if len(rows) != len(ids):
            raise EngineError(
                f"the server gives {len(rows)} rows for {len(ids)} tokens, so nobody"
                " knows which tokens they are of; start it with --runner pooling"
                """ --pooler-config '{"pooling_type": "ALL"}'"""
            )
        places = self.shared.reader.positions(ids) if self.shared.reader else []
        return self.scored(said, [rows[place] for place in places])


class Reward(Scoring):
    """SGLang's own `/classify`, raw (its `/v1/classify` applies a softmax).

    Source: docs.sglang.io, native API; sgl-project/sglang pull request 19709.
    """

    path = "/classify"

    def body(self) -> dict[str, Any]:
        return {"model": self.shared.served, "input_ids": self.ids()}

    def read(self, said: Any) -> Completion:
        answer = _only(said) if isinstance(said, list) else said
        values = answer["embedding"]
        values = values if isinstance(values, list) else [values]
        return self.scored({"usage": answer.get("meta_info")}, [values])


class Nemotron(Route):
    """NVIDIA's attribute models: a chat in, attributes by name out.

    They come as the log-probabilities of tokens with the attributes' names, or as the
    text `name:value,...`. What they are worth together is the judge's to say.

    Source: docs.nvidia.com/nim, large language models, reward models.
    """

    path = "chat/completions"
    kind = "score"

    def body(self) -> dict[str, Any]:
        return {"model": self.shared.served, "messages": messages(self.request)}

    def read(self, said: Any) -> Completion:
        choice = said["choices"][0]
        tokens = (choice.get("logprobs") or {}).get("content") or []
        named = {str(each["token"]): float(each["logprob"]) for each in tokens}
        if not named:
            pairs = choice["message"]["content"].split(",")
            split = [pair.rsplit(":", 1) for pair in pairs]
            named = {name.strip(): float(value) for name, value in split}
        prompt, written = usage(said)
        return Completion(
            attributes=named, prompt_tokens=prompt, completion_tokens=written
        )


def _only(answers: Any) -> Any:
    """The answer to the one input that there was; two, or another's, are none.

    Raises:
        ValueError: It is not that.
    """
    (answer,) = answers
    if answer.get("index") not in (None, 0):
        raise ValueError(f"it is of input {answer['index']!r}, and there is one alone")
    return answer


def _number(said: Any) -> float:
    """A score; a text or a truth that looks like one is none.

    Raises:
        TypeError: It is not that.
    """
    if type(said) not in (int, float):
        raise TypeError(f"a score that is {said!r:.40}")
    return float(said)
