"""What a dataset promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import get_args

from rrm_harness import chance, host
from rrm_harness.conformance.common import import_weight, same_elsewhere
from rrm_harness.conformance.promises import Skipped, insist, promise, short
from rrm_harness.conformance.subject import Subject
from rrm_harness.errors import DataError, SpecError
from rrm_harness.metrics import OnFailure, Rule, Tie
from rrm_harness.records import BadRow, Dataset, Example, Message


def digests(dataset: Dataset) -> dict[str, str]:
    """Digests of a dataset's revision and of its examples."""
    try:
        found = list(dataset.examples())
    except DataError:  # it lies elsewhere
        return {}
    return {
        "revision": chance.digest(dataset.revision).hex(),
        "examples": chance.digest(*map(repr, found)).hex(),
    }


def items(subject: Subject) -> Sequence[Example | BadRow]:
    """What the dataset yields, read once for all properties.

    Raises:
        Skipped: It has to be downloaded and cannot be, and the spec names no copy.
    """
    if "items" not in subject.kept:
        subject.kept["items"] = _read(subject)
    found: Sequence[Example | BadRow] = subject.kept["items"]
    return found


def _read(subject: Subject) -> Sequence[Example | BadRow]:
    """What a new instance yields."""
    dataset: Dataset = subject.make()
    try:
        return list(dataset.examples())
    except DataError as error:
        if "path" in subject.options and ",path=" not in subject.spec:
            raise Skipped(f"needs path=: {error}") from error
        raise


def examples(subject: Subject) -> list[Example]:
    """The good ones among the items."""
    return _good(items(subject))


def _good(found: Sequence[Example | BadRow]) -> list[Example]:
    return [each for each in found if isinstance(each, Example)]


@promise
def readable(subject: Subject) -> None:
    """There are examples, each with an id, a prompt of messages, and no bad rows."""
    found = items(subject)
    for each in found:
        if isinstance(each, BadRow):
            insist(
                False, f"the dataset was read; it has a bad row, expected none: {each}"
            )
        else:
            _insist_on_shape(each)
    insist(bool(found), "the dataset was read; it has no example, expected some")


def _insist_on_shape(found: object) -> None:
    insist(
        isinstance(found, Example),
        f"the dataset yielded {short(found)}, expected Examples and BadRows",
    )
    assert isinstance(found, Example)  # noqa: S101 - for the type checker
    prompt = isinstance(found.prompt, tuple) and len(found.prompt) > 0
    insist(
        isinstance(found.id, str)
        and bool(found.id)
        and prompt
        and all(isinstance(each, Message) for each in found.prompt),
        f"the dataset yielded {short(found)}, expected a text as its id and a tuple of"
        " Messages as its prompt",
    )


@promise
def stable_reading(subject: Subject) -> None:
    """The same examples with the same ids come in the same order every time."""
    first, second = examples(subject), _good(_read(subject))
    again = [each.id for each in second]
    for place, each in enumerate(first):
        insist(
            place < len(again) and each.id == again[place],
            f"the dataset was read twice; example {place + 1} had the id '{each.id}',"
            f" then '{again[place] if place < len(again) else 'none'}', expected the"
            " same",
        )
    insist(
        first == second,
        f"the dataset was read twice; there were {len(first)} and {len(second)}"
        " examples that differ in more than their ids, expected the same",
    )


@promise
def unique_ids(subject: Subject) -> None:
    """No two examples have one id."""
    counted = Counter(each.id for each in examples(subject))
    for name, count in counted.items():
        insist(count == 1, f"the id '{name}' is that of {count} examples, expected one")


@promise
def labels_in_range(subject: Subject) -> None:
    """Every correct response is one of the example's, named once."""
    for each in examples(subject):
        numbers = list(each.correct)
        insist(
            len(set(numbers)) == len(numbers)
            and all(type(n) is int and 0 <= n < len(each.responses) for n in numbers),
            f"example '{each.id}' has {len(each.responses)} responses and correct is"
            f" {short(each.correct)}, expected some of 0 to {len(each.responses) - 1},"
            " each once",
        )


@promise
def responses_not_empty(subject: Subject) -> None:
    """Every example has responses, and each of them says something."""
    for each in examples(subject):
        texts = all(isinstance(text, str) and text.strip() for text in each.responses)
        insist(
            bool(each.responses) and texts,
            f"example '{each.id}' has the responses {short(each.responses)}, expected"
            " texts that are not blank; for a row without, yield a BadRow",
        )


@promise
def rule_stated(subject: Subject) -> None:
    """The dataset says what a tie and a failure are worth."""
    rule = subject.make().rule
    insist(isinstance(rule, Rule), f"rule is {short(rule)}, expected a Rule(...)")
    insist(
        rule.tie in get_args(Tie) and rule.failure in get_args(OnFailure),
        f"the rule's tie is {rule.tie!r} and its failure {rule.failure!r}, expected one"
        f" of {', '.join(get_args(Tie))} and one of {', '.join(get_args(OnFailure))}",
    )


@promise
def revision_stable(subject: Subject) -> None:
    """Name and revision are texts, and the same in every instance and process."""
    first, second = subject.make(), subject.make()
    for what in ("name", "revision"):
        value, again = getattr(first, what), getattr(second, what)
        insist(
            isinstance(value, str) and bool(value) and value == again,
            f"two instances were built from one spec; their {what}s are {short(value)}"
            f" and {short(again)}, expected one text that is not empty",
        )
    here = digests(first)
    if here:
        elsewhere = {"revision": here["revision"]}
        same_elsewhere(subject, elsewhere)


@promise
def protocol_builds(subject: Subject) -> None:
    """The protocol is a spec of an installed strategy."""
    protocol = subject.make().protocol
    try:
        host.default().build("strategies", protocol)
    except SpecError as error:
        insist(
            False,
            f"protocol is {protocol!r}, and that cannot be built ("
            f"{short(str(error))}), expected the spec of an installed strategy",
        )


@promise
def subsets_of_the_rule(subject: Subject) -> None:
    """The subsets that the rule names are those of the examples."""
    rule = subject.make().rule
    if not isinstance(rule, Rule):
        raise Skipped("there is no rule")
    subsets = {each.subset for each in examples(subject)}
    missing = [*rule.missing(subsets), *sorted(set(rule.weights) - subsets)]
    insist(
        not missing,
        f"the rule names the subsets {short(missing)} and no example is of them,"
        f" expected some of {short(sorted(subsets))}",
    )
    listed = {each for parts in rule.sections.values() for each in parts}
    beyond = sorted(subsets - listed) if listed else []
    insist(
        not beyond,
        f"examples are of the subsets {short(beyond)} and none of the rule's sections"
        " counts them, expected that one does",
    )


PROMISED = (
    readable,
    stable_reading,
    unique_ids,
    labels_in_range,
    responses_not_empty,
    rule_stated,
    revision_stable,
    protocol_builds,
    subsets_of_the_rule,
    import_weight,
)
