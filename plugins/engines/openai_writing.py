"""The routes to a text: the server renders the chat, or is sent token ids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rrm_harness import Completion, EngineError, Failure, chat

from .openai_route import Route, Said, messages, usage

NEUTRAL = {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "repeat_penalty": 1.0}
"""What has no effect. vLLM and SGLang take defaults from generation_config.json, and
llama.cpp has its own (top_k=40, min_p=0.05) and the last name for the penalty."""


SPELLED = {"skip_special_tokens": False, "spaces_between_special_tokens": False}
"""Special tokens in a reply are spelled out, as in-process engines do."""


class Writing(Route):
    """What both routes to a text have in common.

    `told` is what a server is told that has defaults of its own.
    """

    told: ClassVar[Mapping[str, Any]] = NEUTRAL

    def decoding(self) -> dict[str, Any]:
        """How to write."""
        request = self.request
        body: dict[str, Any] = {
            "model": self.shared.served,
            "temperature": request.temperature,
            "top_p": request.top_p,
            self.shared.limit: request.max_tokens,
        }
        body |= self.told if self.shared.neutral else {}
        body |= {"seed": request.seed} if request.seed is not None else {}
        return body | ({"stop": list(request.stop)} if request.stop else {})

    def mends(self, body: Said, problem: str) -> bool:
        """Newer models of OpenAI's know `max_tokens` by another name.

        Servers that do as OpenAI's does refuse what its API has not.
        """
        sent = self.told.keys() & body.keys()
        if any(name in problem for name in sent):
            self.shared.neutral = False
            return True
        if "max_tokens" not in body or "max_completion_tokens" not in problem:
            return False
        self.shared.limit = "max_completion_tokens"
        return True

    def completion(self, said: Said, text: str) -> Completion:
        """The completion of a text."""
        choice = said["choices"][0]
        finish = choice.get("finish_reason")
        if finish in ("error", "abort"):
            raise ValueError(f"it broke off ({finish})")
        refused = finish == "content_filter"
        prompt, written = usage(said)
        return Completion(
            text=text,
            failure=Failure.REFUSED if refused else None,
            finish="length" if finish == "length" else "stop",
            prompt_tokens=prompt,
            completion_tokens=written,
            logprobs=_first_logprobs(choice.get("logprobs")),
            notes=self.notes,
        )


class Chat(Writing):
    """`/chat/completions`: the server renders the chat by its own template."""

    path = "chat/completions"

    def body(self) -> dict[str, Any]:
        request = self.request
        if request.bos == "double":
            raise EngineError(
                "bos=double is only exact in token ids; give the engine the model's"
                " tokenizer with tokenizer=FOLDER"
            )
        body = self.decoding() | {"messages": messages(self.request)}
        if request.logprobs:
            body |= {"logprobs": True, "top_logprobs": request.logprobs}
        if request.chat_options:
            body["chat_template_kwargs"] = dict(request.chat_options)
        return body | (self._prefilled(body) if request.prefill else {})

    def _prefilled(self, body: Said) -> dict[str, Any]:
        if self.shared.options.prefill == "no":
            raise EngineError(
                "this judge begins the reply, and not every server continues it; give"
                " the engine the model's tokenizer with tokenizer=FOLDER, or say how"
                " with prefill=vllm or prefill=assistant"
            )
        begun = {"role": "assistant", "content": self.request.prefill}
        continued: dict[str, Any] = {"messages": [*body["messages"], begun]}
        if self.shared.options.prefill == "vllm":
            continued |= {
                "continue_final_message": True,
                "add_generation_prompt": False,
            }
        return continued

    def read(self, said: Any) -> Completion:
        choice = said["choices"][0]
        message = choice["message"]
        if message.get("refusal"):
            return Completion(failure=Failure.REFUSED, text=str(message["refusal"]))
        content = message.get("content") or ""
        thought = message.get("reasoning_content") or message.get("reasoning")
        if thought:
            cut = choice.get("finish_reason") == "length" and not content
            content = f"<think>{thought}{'' if cut else '</think>'}{content}"
        if not isinstance(content, str):
            raise TypeError("the content is no text")
        if self.shared.options.prefill == "assistant":  # llama.cpp repeats it
            content = content.removeprefix(self.request.prefill)
        return self.completion(said, content)


class Completions(Writing):
    """`/completions`: the prompt goes out as token ids."""

    path = "completions"
    told: ClassVar[Mapping[str, Any]] = NEUTRAL | SPELLED

    def body(self) -> dict[str, Any]:
        body = self.decoding() | {"prompt": self.ids()}
        wanted = self.request.logprobs
        return body | ({"logprobs": wanted} if wanted else {})

    def read(self, said: Any) -> Completion:
        text = said["choices"][0]["text"]
        if not isinstance(text, str):
            raise TypeError("the text is none")
        if self.shared.reader:
            text = chat.reply(self.shared.reader.tokenizer, self.ids(), text)
        return self.completion(said, text)


def _first_logprobs(said: Any) -> dict[str, float]:
    """The alternatives of the first token, in the shape of either route."""
    if not said:
        return {}
    if said.get("content"):
        listed = said["content"][0].get("top_logprobs") or []
        pairs = [(each["token"], each["logprob"]) for each in listed]
    else:
        pairs = list(((said.get("top_logprobs") or [None])[0] or {}).items())
    found: dict[str, float] = {}
    for token, logprob in pairs:  # two tokens may have one text: the likelier counts
        found[token] = max(float(logprob), found.get(token, float(logprob)))
    return found
