from __future__ import annotations

from pathlib import Path

import pytest

from swissxmod import (
    EvalAlignment,
    EvalStance,
    FinetuneStance,
    UserError,
    evaluate_alignment,
    evaluate_stance,
    finetune_stance,
    read_records,
)
from swissxmod.eval.adapters import distinct_readers, readers
from swissxmod.eval.counts import read_measured

SAMPLE = Path(__file__).parents[2] / "sample"
ADAPTERS = ["de_CH", "fr_CH", "rm_CH"]


def test_a_language_is_read_by_its_own_adapter_or_by_the_one_named() -> None:
    assert readers(["de", "rm"], {}, ADAPTERS) == [("de_CH", "de_CH"), ("rm_CH", "rm_CH")]
    assert readers(["de", "rm-CH"], {"rm": "fr"}, ADAPTERS) == [("de_CH", "de_CH"), ("rm_CH", "fr_CH")]
    # Also a language that the model has no adapter for.
    assert readers(["it"], {"it": "fr"}, ADAPTERS) == [("it", "fr_CH")]


@pytest.mark.parametrize(
    ("names", "read_as", "message"),
    [
        (["it"], {}, "no adapter for language 'it'"),
        (["rm"], {"rm": "it"}, "no adapter for language 'it'"),
        (["rm"], {"de": "fr"}, "read_as: there is no data of de"),
        (["rm", "rm_CH"], {}, "rm_CH is given twice, under two names"),
    ],
)
def test_mistakes_are_named(names: list[str], read_as: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        distinct_readers(names, read_as, ADAPTERS)


def test_word_alignment_without_a_romansh_adapter(model_folder: Path, tmp_path: Path) -> None:
    folder = SAMPLE / "alignment" / "de-rm"
    files = {"source": str(folder / "dev.de"), "target": str(folder / "dev.rm"), "gold": str(folder / "dev.align")}
    told = [
        evaluate_alignment(EvalAlignment(model=str(model_folder), **files, **how), tmp_path / name)
        for name, how in (("own", {}), ("as", {"read_as": {"rm": "de"}}), ("german", {"target_language": "de"}))
    ]
    own, other, german = (read_measured(tmp_path / name)[0] for name in ("own", "as", "german"))
    assert (other.record.language, other.record.adapter) == ("de_CH-rm_CH", "de_CH-de_CH")
    assert own.record.adapter is None and other.record.by_other_adapter and not own.record.by_other_adapter
    # Romansh read by the German adapter is what calling it German would be, and not what its own adapter makes of it.
    assert told[1]["aer"] == told[2]["aer"]
    assert (other.counts == german.counts).all() and (other.counts != own.counts).any()
    assert own.items == other.items


def test_stance_without_an_adapter_and_without_baselines(model_folder: Path, tmp_path: Path) -> None:
    data = str(SAMPLE / "stance" / "de.jsonl")
    settings = FinetuneStance(model=str(model_folder), train={"de": data}, sentences=8, epochs=1, precision="float32")
    finetune_stance(settings, tmp_path / "stance")
    romansh = {"rm": str(SAMPLE / "stance" / "rm.jsonl")}
    told = EvalStance(
        model=str(tmp_path / "stance"), data=romansh, read_as={"rm": "de"}, baseline_train={"de": data}, baselines=False
    )
    evaluate_stance(told, tmp_path / "scores")
    (record,) = read_records(tmp_path / "scores" / "results.jsonl")
    assert (record.system, record.language, record.adapter, record.zero_shot) == ("model", "rm_CH", "de_CH", True)
