"""For pytest: `--rrm-conformance NAME` has every property of a plugin as a test.

The tests are `conformance::KIND:SPEC::PROPERTY`, and select by -k as others do. They
stand beside whatever else is collected; where nothing is named on the command line,
they stand alone. This module is imported by every pytest where rrm-harness is
installed, so it imports nothing of ours before it is asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rrm_harness.conformance.promises import Property
    from rrm_harness.conformance.subject import Subject


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("rrm-harness").addoption(
        "--rrm-conformance",
        action="append",
        default=[],
        metavar="SPEC",
        help="A judge, strategy, dataset or engine of rrm-harness whose properties are"
        " tested: NAME, NAME,key=value or KIND:NAME; may be given several times.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Find the plugins before anything runs; a mistake ends pytest in one sentence."""
    specs: list[str] = config.getoption("rrm_conformance")
    if not specs:
        return
    from rrm_harness.conformance.subject import Subject, together
    from rrm_harness.errors import HarnessError

    try:
        found = together([Subject.named(each) for each in dict.fromkeys(specs)])
    except HarnessError as error:
        raise pytest.UsageError(f"--rrm-conformance: {error}") from error
    config.stash[_SUBJECTS] = found
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = []  # what lies in this folder was not asked for


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the properties to the tests, before any selection is made among them."""
    subjects = config.stash.get(_SUBJECTS, [])
    if not subjects:
        return
    top = _Folder.from_parent(session, name="conformance", nodeid="conformance")
    for subject in subjects:
        items += _Plugin.from_parent(top, name=subject.title, subject=subject).collect()


_SUBJECTS: pytest.StashKey[list[Subject]] = pytest.StashKey()


class _Folder(pytest.Collector):
    """Where the plugins stand in pytest's tree."""

    def collect(self) -> Iterator[pytest.Item]:
        return iter(())


class _Plugin(pytest.Collector):
    """A plugin, with a test for each of its properties."""

    def __init__(self, *, subject: Subject, **others: Any) -> None:
        super().__init__(**others)
        self.subject = subject

    def collect(self) -> Iterator[pytest.Item]:
        from rrm_harness.conformance.kit import properties

        for each in properties(self.subject.kind):
            yield _Test.from_parent(self, name=each.name, tried=each)


class _Test(pytest.Item):
    """A property of a plugin."""

    def __init__(self, *, tried: Property, **others: Any) -> None:
        super().__init__(**others)
        self.tried = tried

    def runtest(self) -> None:
        from rrm_harness.conformance.promises import Broken

        assert isinstance(self.parent, _Plugin)  # noqa: S101 - for the type checker
        verdict, sentence = self.tried.verdict(self.parent.subject)
        if verdict == "skipped":
            pytest.skip(sentence)
        if verdict == "broken":
            raise Broken(sentence)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]
        """The sentence: nothing of ours is wrong."""
        return f"{self.tried.name}: {excinfo.value}\n(promised: {self.tried.promise})"

    def reportinfo(self) -> tuple[str, None, str]:
        """What stands above a failure."""
        return "conformance", None, self.nodeid.removeprefix("conformance::")
