"""Settings of what measures models and compares them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import UserError
from ..texts import Paths
from .aligning import WordLinking
from .shared import (
    Checked,
    Quantised,
    SentenceScore,
    TagReading,
    TwoLanguages,
    check_given,
    check_minima,
    check_seed,
)


@dataclass(frozen=True)
class EvalDetector:
    """Measure a language detector on text of known languages, sentences of five words and more, and shorter ones.

    Example: swissxmod eval detector --data.de de.jsonl --data.rm rm.jsonl --out scores.json
    """

    data: dict[str, Paths]
    """Text of each language, which is split into sentences; forms as for detector train, "other" for all further."""
    detector: str | None = None
    """File that detector train wrote; by default the detector that comes with the package."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_given(self, "data", "text_column")


@dataclass(frozen=True, kw_only=True)
class Measuring(Checked):
    """What a measurement is called, and what reads the text."""

    read_as: dict[str, str] = field(default_factory=dict)
    """For a language the adapter that reads it in the place of its own, such as --read_as.rm de: what would be without
    a Romansh adapter?"""
    system: str = "model"
    """Name of the model in the results."""
    split: str = "dev"
    """Name of the split in the results."""
    licence: str = ""
    """Licence of the data, for the results."""
    revision: str = ""
    """Which version of the data it is, for the results."""
    seed: int = 1
    """Seed of the bootstrap."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_seed(self)


@dataclass(frozen=True)
class EvalStance(Measuring, Quantised):
    """Measure stance detection in several languages, each with its own adapter: macro F1 beside two baselines.

    Example: swissxmod eval stance --model stance --data.de de.jsonl --data.it it.jsonl --out stance-scores
    """

    model: str
    """Folder of a fine-tuned model, or of several that finetune stance trained with different seeds."""
    data: dict[str, str]
    """Comments of each language to test; forms as in finetune stance."""
    baseline_train: dict[str, str] = field(default_factory=dict)
    """Training data of each language for two baselines, the most frequent label, and TF-IDF with logistic regression
    (for which the extra "baselines" is needed); none by default. With it, x-stance's settings are told apart also where
    the data has topics instead of them, as on the hub."""
    baselines: bool = True
    """Whether to measure the baselines; else their training data only tells the settings apart."""
    dataset: str = "stance"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_given(self, "data")


@dataclass(frozen=True)
class EvalNer(TagReading, Measuring, Quantised):
    """Measure a tagger in several languages, each with its own adapter.

    Example: swissxmod eval ner --model ner --data.de de.conll --data.rm rm.conll --out ner-scores
    """

    model: str
    """Folder of a fine-tuned tagger, or of several that finetune ner trained with different seeds."""
    data: dict[str, str]
    """Data of each language to test; forms as in finetune ner."""
    other_adapters: dict[str, list[str]] = field(default_factory=dict)
    """For a language the adapters to try in the place of its own, such as --other_adapters.rm '[de, it]'; each is
    compared with its own on the same documents."""
    only: list[str] = field(default_factory=list)
    """Types to score, such as '[PER, LOC]'; names of others count neither as found nor as missed. All by default."""
    skip_lower_case: list[str] = field(default_factory=list)
    """Types of which names in lower case count neither as found nor as missed; guidelines differ on "svizzer"."""
    dataset: str = "ner"
    """Name of the data in the results."""
    documents: int | None = None
    """Most documents of each language to measure, drawn with the seed (sentences, where the data has no documents); all
    by default."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_given(self, "data")
        check_minima(self, documents=1)


@dataclass(frozen=True)
class EvalAlignment(WordLinking, Measuring):
    """Measure word alignment against gold links: AER of one layer or the mean of all, and of each layer.

    Example: swissxmod eval alignment --model adapted --source dev.de --target dev.rm --gold dev.align
        --source_language de --target_language rm --out scores
    """

    model: str
    """Model folder."""
    source: str
    """Tokens of the source sentences, parted by blanks, one sentence a line."""
    target: str
    """Tokens of the target sentences."""
    gold: str
    """Gold links, Pharaoh format, 0-based: "0-0 1-2" (sure), "1p3" (possible)."""
    dataset: str = "alignment"
    """Name of the data in the results."""


@dataclass(frozen=True)
class EvalSentences(TwoLanguages, Measuring):
    """Measure sentence retrieval: how often the most similar vector on the other side is that of the translation.

    Example: swissxmod eval sentences --model adapted --source dev.de --target dev.rm
        --source_language de --target_language rm --out scores
    """

    model: str
    """Model folder."""
    source: str
    """Source sentences, one a line."""
    target: str
    """Target sentences, each the translation of the same line."""
    score: SentenceScore = "cosine"
    """How sentences are compared: "cosine" of their mean vectors, "margin" (LASER), "bertscore" piece by piece
    on the mean of all layers."""
    dataset: str = "sentences"
    """Name of the data in the results."""


@dataclass(frozen=True)
class EvalFill(Measuring):
    """Measure how well a model predicts masked words: bits per character, which models of any vocabulary share.

    Example: swissxmod eval fill --model adapted --data.de dev-de.jsonl --data.rm dev-rm.jsonl --out fill-scores
    """

    model: str
    """Folder of a model with its masked-language-modelling head, or a hub name."""
    data: dict[str, str]
    """Texts of each language; forms as in pretrain."""
    text_column: str = "text"
    """Name of the text in objects, tables and data sets."""
    documents: int | None = 300
    """How many to take of each language (a seeded sample)."""
    share: float = 0.15
    """Of the words of each text that are masked."""
    dataset: str = "text"
    """Name of the data in the results."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        super().__post_init__()
        check_given(self, "data", "text_column")
        check_minima(self, documents=1)
        if not 0 < self.share <= 1:
            raise UserError(f"share: expected more than 0 and at most 1, found {self.share}")


@dataclass(frozen=True)
class EvalCompare:
    """Compare the systems that were measured on the same items, pair by pair: difference, 95% interval, p-values.

    Example: swissxmod eval compare --results '[a-scores, b-scores]' --out comparison
    """

    results: Paths
    """Folders that eval wrote, or their results.jsonl; counts.jsonl is beside it."""
    resamples: int = 10_000
    """How often the items are drawn again; the smallest p-value that can be is about one by this."""
    seed: int = 1
    """Seed of the resampling."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_seed(self)
        check_given(self, "results")
        check_minima(self, resamples=100)


@dataclass(frozen=True)
class EvalSuite:
    """Measure several models on all data of a suite, compare them, and write one report; finished cells are kept.

    Example: swissxmod eval suite --suite local --set data=DATA --model a=adapted --model b=trunk --seeds 3
        --adapter rm=de --out DIR
    """

    suite: str
    """Name of a bundled suite (local, mini, swissbert), or the path of one."""
    model: list[str]
    """Folders or hub names, "label=path" to call one something else; plain BERT, RoBERTa and XLM-R checkpoints become
    modular first, their function unchanged."""
    adapter: list[str] = field(default_factory=list)
    """"rm=de" also measures each model with the German adapter reading Romansh."""
    seeds: int = 1
    """Taggers and stance detectors to train of each kind, with the suite's seed and those after it."""
    only: list[str] = field(default_factory=list)
    """Experiments of the suite to run; all by default."""
    set: list[str] = field(default_factory=list)
    """"name=value" replaces a value of the suite, such as data=DIR or names.finetune.epochs=1."""

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        check_given(self, "model")
        check_minima(self, seeds=1)
