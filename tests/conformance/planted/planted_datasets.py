"""Datasets that keep every promise but the one that their name says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

from rrm_harness import BadRow, Dataset, Example, Message, Rule, hookimpl

QUESTION = (Message("user", "Why is the sky blue?"),)
READINGS = count()


@dataclass(frozen=True)
class Two(Dataset):
    """Two examples in two subsets."""

    name = "two"
    revision = "1"
    rule = Rule(expected=("air", "sea"))

    def examples(self):
        yield Example("1", QUESTION, ("Air scatters blue.", "It is."), (0,), "air")
        yield Example("2", QUESTION, ("The sea is.", "Air does."), (1,), "sea")


class Readable(Two):
    """A row of its file is not what it must be."""

    def examples(self):
        yield from super().examples()
        yield BadRow("two.jsonl, line 3", "no field 'prompt'")


class StableReading(Two):
    """The ids are numbers that go on from reading to reading."""

    def examples(self):
        reading = next(READINGS)
        for each in super().examples():
            yield replace(each, id=f"{each.id}-{reading}")


class UniqueIds(Two):
    """The id is the prompt's."""

    def examples(self):
        for each in super().examples():
            yield replace(each, id="sky")


class LabelsInRange(Two):
    """Responses are numbered from 1."""

    def examples(self):
        for each in super().examples():
            yield replace(each, correct=tuple(index + 1 for index in each.correct))


class ResponsesNotEmpty(Two):
    """A refusal is an empty response."""

    def examples(self):
        for each in super().examples():
            yield replace(each, responses=(each.responses[0], " "))


class RuleStated(Two):
    """What a tie is worth is not said."""

    rule = None


class RevisionStable(Two):
    """Its revision is where it lies in memory."""

    @property
    def revision(self):
        return f"r{id(self)}-{next(READINGS)}"


class ProtocolBuilds(Two):
    """Its protocol is no strategy."""

    protocol = "best-of-two"


class SubsetsOfTheRule(Two):
    """Its rule names a subset that no example is of."""

    rule = Rule(expected=("air", "sea", "land"))


@hookimpl
def register_datasets(register):
    register("good-two", Two)
    register("bad-readable", Readable)
    register("bad-stable-reading", StableReading)
    register("bad-unique-ids", UniqueIds)
    register("bad-labels-in-range", LabelsInRange)
    register("bad-responses-not-empty", ResponsesNotEmpty)
    register("bad-rule-stated", RuleStated)
    register("bad-revision-stable", RevisionStable)
    register("bad-protocol-builds", ProtocolBuilds)
    register("bad-subsets-of-the-rule", SubsetsOfTheRule)
