"""One class for all our tasks: a benchmark of judges inside lm-eval.

A task's YAML names a dataset, whose documents are its examples. Under `--model rrm` the
model judges a document and answers with the outcome; under any other model the task
sends the judge's prompts and reads its replies. Either way `Tally` makes the numbers,
as it does for `rrm-harness run`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import Task, TaskConfig
from lm_eval.filters import build_filter_ensemble

from rrm_harness import plan
from rrm_harness.errors import SpecError
from rrm_harness.records import Request
from rrm_harness.report.cautions import ASKED_AGAIN, cautions
from rrm_harness.schedule import Finished
from rrm_harness.tally import Tally

from . import checks, wire
from .backend import Backend, Reading, all_differ, seeds
from .documents import document
from .measures import Measures
from .model import JudgingRank
from .setting import Setting, rejoined

UNTIL: tuple[str, list[str]] = ("until", [])
"""No text ends a reply: lm-eval's default is the first empty line."""
_log = logging.getLogger("lm_eval.rrm_harness")  # so lm-eval shows it


class JudgeTask(Task):  # type: ignore[misc]
    """A benchmark of judges.

    Args:
        config: The YAML, with `rrm:` (see `Setting`) and the metadata of the command.

    Raises:
        HarnessError: The data is missing or malformed, or a spec is wrong.
    """

    VERSION = 1
    OUTPUT_TYPE = "generate_until"

    def __init__(self, config: Mapping[str, Any]) -> None:
        own = {key: each for key, each in config.items() if key not in ("class", "rrm")}
        metadata = own.get("metadata") or {}
        defaults = {"generation_kwargs": dict([UNTIL]), "num_fewshot": 0}
        self._config = TaskConfig(**(defaults | own))
        self.VERSION = metadata.get("version", self.VERSION)
        self._filters = [build_filter_ensemble("none", [["take_first", None]])]
        self._instances = self._training_docs = self._fewshot_docs = None
        self.fewshot_rnd = None
        asked = rejoined(metadata)
        self.setting = Setting(str(config["task"]), config.get("rrm") or {}, asked)
        self._examples = {each.id: each for each in self.setting.examples}
        self._documents = [document(each) for each in self.setting.examples]
        self._judging = False
        self._backend = Backend()
        self._readings: dict[str, list[Reading]] = {}
        self._measures = Measures(self.setting)

    def has_training_docs(self) -> bool:
        """No: a judge is shown no other examples."""
        return False

    def has_validation_docs(self) -> bool:
        """No."""
        return False

    def has_test_docs(self) -> bool:
        """Yes, all of them."""
        return True

    def test_docs(self) -> list[dict[str, Any]]:
        """The documents, in the dataset's order."""
        return self._documents

    def doc_to_text(self, doc: Mapping[str, Any]) -> str:
        """The example's id; what a judge is shown is its own affair."""
        return str(doc["id"])

    def doc_to_target(self, doc: Mapping[str, Any]) -> str:
        """The numbers of the correct responses."""
        return ", ".join(map(str, doc["correct"]))

    def fewshot_context(self, doc: Mapping[str, Any], *_: Any, **__: Any) -> str:
        """Nothing: `construct_requests` makes the prompts."""
        return self.doc_to_text(doc)

    def build_all_requests(self, *, rank: int = 0, **options: Any) -> None:
        """Make the requests, for a model that judges or for one that writes.

        lm-eval's cache of requests is left out: it knows neither prompt nor data.

        Raises:
            SpecError: This model cannot play what is asked.
        """
        self._judging = isinstance(rank, JudgingRank)
        changed = self._changed_decoding
        checks.refuse_settings(self.setting, self._judging, changed)
        chat, given = options.get("chat_template"), self.setting.metadata
        self._backend = Backend.of(chat, given, changed)
        if options.get("system_instruction"):
            raise SpecError(checks.NO_SYSTEM_INSTRUCTION)
        if options.get("cache_requests"):
            _log.warning("%s: --cache_requests is left out", self.config.task)
        options |= {"cache_requests": False, "rewrite_requests_cache": False}
        super().build_all_requests(rank=int(rank), **options)

    def construct_requests(
        self, doc: Mapping[str, Any], ctx: str, *, metadata: Any, **_: Any
    ) -> list[Instance]:
        """One request to judge the document, or the judge's own requests about it."""
        if self._judging:
            # sampled, as far as lm-eval's cache should know: our store is the cache
            told = {
                "until": [],
                "strategy": self.setting.strategy_spec,
                "seed": self.setting.seed,
                "do_sample": True,
            }
            return [_instance(doc, (ctx, told), 0, metadata)]
        asked = self._requests(doc)
        if not self._backend.is_known and not all_differ(asked):
            raise SpecError(checks.UNKNOWN_SAMPLING)
        if self._backend.seeded:
            asked = seeds(asked, self.setting.seed)
        sent = [self._backend.asked(each) for each in asked]
        self._readings[doc["id"]] = [reading for _, reading in sent]
        return [
            _instance(doc, arguments, place, metadata)
            for place, (arguments, _) in enumerate(sent)
        ]

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[str]
    ) -> dict[str, Any]:
        """What each metric needs of a document: for the headline, all that happened."""
        return self._measures.of_document(wire.dumped(self._finished(doc, results)))

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """What makes numbers of the documents'; the headline's comes first."""
        return self._measures.aggregation(self._summary)

    def higher_is_better(self) -> dict[str, bool]:
        """Which way each metric is good."""
        return self._measures.higher_is_better

    def _summary(self, played: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """The results of all documents, as results.json has them."""
        tally = Tally(self.setting.dataset.rule)
        places = {name: place for place, name in enumerate(self._examples)}
        for content in sorted(played, key=lambda each: places[each["id"]]):
            tally.add(wire.loaded(content, self._examples[content["id"]]))
        skipped = {"baselines": {}, "skipped_rows": self.setting.skipped}
        results = {**tally.results(), **skipped}
        for caution in cautions(results):
            told = caution if self._judging else caution.removesuffix(ASKED_AGAIN)
            _log.warning("%s: %s", self.config.task, told)
        return results

    def _finished(self, doc: Mapping[str, Any], results: Sequence[str]) -> Finished:
        example = self._examples[doc["id"]]
        if self._judging:
            content = wire.read(results[0])
            if content is None:
                raise SpecError(
                    f"task {self.config.task}: the model's answer is no outcome of"
                    " --model rrm, for which its requests were made"
                )
            return wire.loaded(content, example)
        requests = self._requests(doc)
        readings = zip(requests, self._readings[doc["id"]], results, strict=True)
        answers = {
            request: reading.completion(text) for request, reading, text in readings
        }
        setting = self.setting
        return plan.replayed(
            example, setting.strategy, setting.judge, setting.seed, answers
        )

    def _requests(self, doc: Mapping[str, Any]) -> list[Request]:
        """All that the judge asks about a document; the same whenever it is called."""
        setting = self.setting
        example = self._examples[doc["id"]]
        return plan.requests(example, setting.strategy, setting.judge, setting.seed)

    @property
    def _changed_decoding(self) -> dict[str, Any]:
        """What `--gen_kwargs` sets."""
        given = dict(self.config.generation_kwargs or {})
        return {key: each for key, each in given.items() if (key, each) != UNTIL}


def _instance(
    doc: Mapping[str, Any],
    arguments: tuple[Any, dict[str, Any]],
    place: int,
    metadata: Any,
) -> Instance:
    return Instance("generate_until", dict(doc), arguments, place, metadata)
