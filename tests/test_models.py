"""Model cards: what is said of published models is about judges that are there."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from rrm_harness import Judge, PluginError, SpecError, host, models
from rrm_harness.models import Card
from rrm_harness.records import Model
from rrm_harness.reproduce import spec_of
from rrm_harness.specs import Spec

CARDS = models.cards()


def default_models() -> Iterator[tuple[str, str]]:
    """The model of each judge as it comes, and in each size and variant."""
    for name, entry in host.default().registry("judges").items():
        hints = get_type_hints(entry.thing) if isinstance(entry.thing, type) else {}
        options = [""]
        for option in ("size", "variant"):
            values = get_args(hints.get(option))
            options = [
                each + f",{option}={value}" for each in options for value in values
            ] or options
        for option in options:
            try:
                named = host.default().build("judges", f"{name}{option}").runs_on
            except SpecError:  # it needs a file, or a model of the user's
                continue
            if named:
                yield f"{name}{option}", named.id


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
class TestCards:
    def test_its_judge_is_installed_and_runs_it(self, card: Card) -> None:
        judge: Judge = host.default().build("judges", f"{card.judge},model={card.id}")

        assert judge.runs_on
        assert judge.runs_on.id == card.id

    def test_it_says_how_large_it_is_and_where_that_was_read(self, card: Card) -> None:
        assert card.parameters > 0
        assert card.context >= 1024
        assert card.source
        assert card.licence

    def test_its_figures_are_shares_with_protocol_and_source(self, card: Card) -> None:
        for each in card.published:
            assert 0 < each.value < 1, each
            assert each.protocol, each
            assert each.source, each

    def test_its_figures_are_of_known_benchmarks(self, card: Card) -> None:
        known = host.default().registry("datasets")

        assert [
            each
            for each in card.published
            if Spec.parse(spec_of(each.benchmark)).name not in known
        ] == []

    def test_no_figure_is_told_twice(self, card: Card) -> None:
        told = [(each.benchmark, each.protocol, each.source) for each in card.published]

        assert len(set(told)) == len(told)

    def test_what_was_measured_on_another_model_names_one_with_a_card(
        self, card: Card
    ) -> None:
        others = {each.measured_on for each in card.published} - {""}

        assert others <= set(CARDS)


def test_every_model_that_a_judge_comes_with_has_a_card_of_that_judge() -> None:
    named = dict(default_models())

    assert len(named) > 25
    assert {
        spec: model
        for spec, model in named.items()
        if model not in CARDS or CARDS[model].judge != spec.partition(",")[0]
    } == {}


def asked_at_most(spec: str) -> int:
    """How many tokens a judge's replies may have; none of one that writes none."""
    return getattr(host.default().build("judges", spec), "max_tokens", 0)


@pytest.mark.parametrize(("spec", "model"), list(default_models()))
def test_a_judges_reply_leaves_a_quarter_of_its_models_context(
    spec: str, model: str
) -> None:
    assert asked_at_most(spec) <= 0.75 * CARDS[model].context


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_judges_reply_leaves_a_quarter_of_a_cards_context(card: Card) -> None:
    spec = f"{card.judge},model={card.id}"

    assert asked_at_most(spec) <= 0.75 * card.context


def test_j1_has_no_weights_to_download() -> None:
    told = {each.id: each.weights for each in CARDS.values() if each.judge == "j1"}

    assert len(told) == 4
    assert not any(told.values())


def test_the_figure_of_the_70b_llama_judge_names_the_model_it_was_measured_on() -> None:
    published = CARDS["meta-llama/Llama-3.1-70B-Instruct"].published
    (figure,) = [each for each in published if each.value == 0.688]

    assert figure.measured_on == "meta-llama/Llama-3.3-70B-Instruct"


def test_memory_is_two_bytes_a_parameter_or_one() -> None:
    card = CARDS["Reward-Reasoning/RRM-7B"]

    assert (card.bf16, card.fp8) == (15.2, 7.6)


def test_the_manifest_tells_a_models_licence() -> None:
    known = Model("llm-blender/PairRM-hf", head="pairrm")

    assert models.facts(known) == {
        "id": "llm-blender/PairRM-hf",
        "head": "pairrm",
        "licence": "MIT",
    }
    assert models.facts(Model("mine")) == {"id": "mine"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[m]\njudge = "rrm"\n', "missing"),
        ("[m]\ncolour = 1\n", "colour"),
        ("[m\n", "mine.toml"),
    ],
)
def test_a_card_that_is_none_names_its_file(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)

    with pytest.raises(PluginError, match=problem):
        list(models._read(file, "mine"))


def test_a_folders_fingerprint_is_its_content_wherever_it_lies(tmp_path: Path) -> None:
    for name, text in (("one", "same"), ("two", "same"), ("three", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(text)

    one, two, three = (
        models.fingerprint(Model(str(tmp_path / name)))
        for name in ("one", "two", "three")
    )
    assert one == two != three


class TestWeightsThatComeAlong:
    def test_a_cards_folder_is_beside_its_file(self, tmp_path: Path) -> None:
        file = tmp_path / "mine.toml"
        file.write_text(
            '[m]\njudge = "rrm"\nlicence = "MIT"\nparameters = 1\ncontext = 9\n'
            'source = "here"\nfolder = "weights/m"\n'
        )

        (card,) = models._read(file, "mine")
        assert Path(card.folder) == tmp_path / "weights" / "m"

    def test_the_id_and_the_folder_name_the_same_model(self) -> None:
        card = CARDS["rrm-nano-0.06m"]
        by_id, by_folder = Model(card.id), Model(card.folder)

        assert models.folder(by_id) == models.folder(by_folder)
        assert models.fingerprint(by_id) == models.fingerprint(by_folder)
