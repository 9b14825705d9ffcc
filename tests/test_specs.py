"""Specs: text to a name and options, options to a factory's types."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rrm_harness import SpecError
from rrm_harness.specs import Spec, build, nearest, written

WORDS = st.text(st.characters(exclude_characters=",=", exclude_categories=["C"])).map(
    str.strip
)
NAMES = WORDS.filter(bool)
VALUES = st.text(st.characters(exclude_characters=",", exclude_categories=["C"])).map(
    str.strip
)


@dataclass(frozen=True)
class Thing:
    """A factory with an option of each type."""

    path: Path
    count: int = 1
    share: float = 0.5
    loud: bool = False
    order: Literal["given", "seeded"] = "given"
    limit: int | None = None
    long_name: str = ""
    inner: object = None


def thing(**options: str) -> Any:
    return build(Spec("thing", {"path": ".", **options}), Thing)


@given(name=NAMES, options=st.dictionaries(NAMES, VALUES, max_size=5))
def test_a_written_spec_reads_back(name: str, options: dict[str, str]) -> None:
    text = ",".join([name, *(f"{key}={value}" for key, value in options.items())])

    spec = Spec.parse(text)

    assert spec == Spec(name, options)


@given(st.text())
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    try:
        spec = Spec.parse(text)
    except SpecError:
        return

    assert spec.name


def test_spaces_around_parts_do_not_matter() -> None:
    spec = Spec.parse(" voting , k=5 ,stop=none ")

    assert spec == Spec("voting", {"k": "5", "stop": "none"})


def test_a_value_may_hold_an_equals_sign() -> None:
    spec = Spec.parse("jsonl,path=a=b.jsonl")

    assert spec.options == {"path": "a=b.jsonl"}


@pytest.mark.parametrize("text", ["", " ", ",k=5"])
def test_a_spec_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="has no name; write name or name,key=value"):
        Spec.parse(text)


@pytest.mark.parametrize("text", ["voting,5", "voting,=5", "voting,", "voting,k=1,k=2"])
def test_an_option_that_is_not_one_pair_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="is not one key=value"):
        Spec.parse(text)


@given(st.integers())
def test_a_whole_number_is_converted(count: int) -> None:
    assert thing(count=str(count)).count == count


@given(st.floats(allow_nan=False))
def test_a_number_is_converted_exactly(share: float) -> None:
    assert thing(share=repr(share)).share == share


@pytest.mark.parametrize("text", ["true", "True", "false", "FALSE"])
def test_a_flag_is_true_or_false_in_any_case(text: str) -> None:
    assert thing(loud=text).loud == (text.lower() == "true")


def test_a_path_is_converted() -> None:
    assert thing(path="some/file.jsonl").path == Path("some/file.jsonl")


def test_an_optional_number_is_converted() -> None:
    assert thing(limit="7").limit == 7


def test_a_choice_is_taken() -> None:
    assert thing(order="seeded").order == "seeded"


def test_an_options_hyphens_are_its_parameters_underscores() -> None:
    spec = Spec("thing", {"path": ".", "long-name": "x"})

    assert build(spec, Thing).long_name == "x"


def test_an_option_that_is_left_out_has_its_default() -> None:
    assert thing() == Thing(Path())


def test_what_is_given_beside_the_options_is_passed_on() -> None:
    inner = object()

    built = build(Spec("thing", {"path": "."}), Thing, inner=inner)

    assert built.inner is inner


def test_what_is_given_and_has_no_parameter_is_refused() -> None:
    with pytest.raises(SpecError, match="single takes no inner strategy"):
        build(Spec("single", {}), lambda: None, inner=object())


@pytest.mark.parametrize(
    ("option", "text", "wanted"),
    [
        ("count", "many", "count must be a whole number"),
        ("count", "1.5", "count must be a whole number"),
        ("share", "half", "share must be a number"),
        ("loud", "yes", "loud must be true or false"),
        ("order", "sorted", "order must be one of given, seeded"),
        ("limit", "none", "limit must be a whole number"),
    ],
)
def test_a_wrong_value_is_told_what_it_must_be(
    option: str, text: str, wanted: str
) -> None:
    with pytest.raises(SpecError) as raised:
        thing(**{option: text})

    assert str(raised.value) == f"thing,{option}={text}: {wanted}"


def test_an_unknown_option_gets_the_nearest_and_the_rest() -> None:
    with pytest.raises(SpecError) as raised:
        thing(ordr="given")

    assert str(raised.value) == (
        "thing has no option 'ordr'; did you mean 'order'?"
        " known: count, limit, long-name, loud, order, path, share"
    )


def test_a_parameter_that_is_no_text_is_no_option() -> None:
    with pytest.raises(SpecError, match="thing has no option 'inner'"):
        thing(inner="single")


def test_a_required_option_is_asked_for() -> None:
    with pytest.raises(SpecError, match=r"thing needs path=\.\.\.; write thing,path="):
        build(Spec("thing", {}), Thing)


def test_a_function_that_takes_anything_has_no_options() -> None:
    def anything(*_: object, **__: object) -> str:
        return "built"

    assert build(Spec("anything", {}), anything) == "built"


@pytest.mark.parametrize(
    "option", [{"long_name": "a,b"}, {"inner": object()}, {"limit": 3}]
)
def test_a_spec_is_written_whole_or_not_at_all(option: dict[str, Any]) -> None:
    made = Thing(Path("here"), **option)

    spec = written("thing", made)

    assert spec is None or build(Spec.parse(spec), Thing) == made


def test_nothing_near_is_not_suggested() -> None:
    assert nearest("qqq", ["longest", "first"]) == "known: first, longest"
