"""A plugin that breaks one promise fails by that promise's name, and by no other."""

import pytest
import verdicts

NOT_TRIED = {"skipped: the judge makes no requests, so no reply of it can fail"}
Verdicts = dict[str, verdicts.Said]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """Each planted plugin's verdicts, by property."""
    found, _ = verdicts.tried_planted(tmp_path_factory.mktemp("planted"))
    return found


def told(said: verdicts.Said, verdict: str) -> dict[str, str]:
    """The properties with a verdict, and what was said."""
    return {name: text for name, text in said.items() if text.startswith(verdict)}


@pytest.mark.parametrize(("spec", "name"), verdicts.FAULTS)
def test_what_is_broken_and_nothing_else_is_told(
    planted: Verdicts, spec: str, name: str
) -> None:
    broken = told(planted[spec], "broken")

    assert list(broken) == [name], broken
    assert "expected" in broken[name]


@pytest.mark.parametrize(
    "spec", [*verdicts.GOOD, *(spec for spec, _ in verdicts.FAULTS)]
)
def test_nothing_is_left_untried_but_what_cannot_be(
    planted: Verdicts, spec: str
) -> None:
    skipped = {*told(planted[spec], "skipped").values()}

    no_rule = {"skipped: there is no rule"} if spec.endswith("rule-stated") else set()
    assert skipped <= NOT_TRIED | no_rule


@pytest.mark.parametrize("spec", verdicts.GOOD)
def test_a_plugin_without_a_fault_breaks_nothing(planted: Verdicts, spec: str) -> None:
    assert told(planted[spec], "broken") == {}
