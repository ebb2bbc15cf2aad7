"""The verbs: for each its settings and the function behind it, which is imported only when it is called."""

from __future__ import annotations

import functools
import importlib
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from . import settings as s
from .errors import UserError

_UNION = re.compile(
    r"Does not validate against any of the Union subtypes Subtypes: \[(.*)\] Errors: .* Given value: (.*)$"
)
_KIND = re.compile(r"<class '(\w+)'>|typing\.Literal\[(.*?)\]")
_REQUIRED = "the following arguments are required"
set_parsing_settings(docstring_parse_attribute_docstrings=True)


@dataclass(frozen=True)
class Verb:
    """One step."""

    settings: type
    function: str
    """"module:function" in this package; it takes the settings and where to write, and returns a summary."""
    file: str | None = None
    """Name of the file in a recipe's folder for a step that writes one file; other steps make the folder."""
    writes: bool = True
    """False for one that only tells: it takes no place to write, and is no stage of a recipe."""
    streams: bool = False
    """Whether it writes to standard output ("-") when no file is named."""

    def __call__(self, settings: object, *out: str | Path) -> dict[str, Any]:
        """Do it; ``out`` is where to write, if it writes."""
        _quiet_libraries()
        module, name = self.function.split(":")
        return getattr(importlib.import_module(f".{module}", __package__), name)(settings, *out)


VERBS = {
    "vocab train": Verb(s.VocabTrain, "tokenizer.training:train_vocabulary"),
    "vocab import": Verb(s.VocabImport, "tokenizer.sentencepiece:import_vocabulary"),
    "vocab report": Verb(s.VocabReport, "tokenizer.report:report_vocabulary"),
    "vocab transplant": Verb(s.VocabTransplant, "xmod.vocabulary:transplant_vocabulary"),
    "model init": Verb(s.ModelInit, "xmod.initialise:init_model"),
    "model info": Verb(s.ModelInfo, "xmod.info:model_info", writes=False),
    "model card": Verb(s.ModelCard, "eval.card:write_card", file="README.md"),
    "model merge": Verb(s.ModelMerge, "xmod.tuned_folders:merge_model"),
    "model modularise": Verb(s.ModelModularise, "xmod.modularise:modularise_model"),
    "model compress": Verb(s.ModelCompress, "xmod.compression:compress_model"),
    "adapter export": Verb(s.AdapterExport, "xmod.adapter_files:export_language"),
    "adapter import": Verb(s.AdapterImport, "xmod.adapter_files:import_language"),
    "adapter list": Verb(s.AdapterList, "xmod.adapter_files:list_languages", writes=False),
    "adapter push": Verb(s.AdapterPush, "xmod.sharing:push_adapter", writes=False),
    "adapter pull": Verb(s.AdapterPull, "xmod.sharing:pull_adapter"),
    "pretrain": Verb(s.Pretrain, "xmod.pretraining.run:pretrain"),
    "finetune ner": Verb(s.FinetuneNer, "tasks.ner:finetune_ner"),
    "finetune stance": Verb(s.FinetuneStance, "tasks.stance:finetune_stance"),
    "finetune alignment": Verb(s.FinetuneAlignment, "tasks.alignment_tuning:finetune_alignment"),
    "detector train": Verb(s.DetectorTrain, "detection.training:train_detector", file="detector.safetensors"),
    "predict language": Verb(
        s.PredictLanguage, "detection.predict:predict_language", file="languages.jsonl", streams=True
    ),
    "predict ner": Verb(s.PredictNer, "tasks.predict:predict_ner", file="entities.jsonl", streams=True),
    "predict fill": Verb(s.PredictFill, "tasks.fill:predict_fill", file="guesses.jsonl", streams=True),
    "embed": Verb(s.Embed, "tasks.embed:embed", file="vectors.jsonl", streams=True),
    "align words": Verb(s.AlignWords, "tasks.word_alignment:align_words", file="links.align", streams=True),
    "predict stance": Verb(s.PredictStance, "tasks.stance:predict_stance", file="stances.jsonl", streams=True),
    "eval ner": Verb(s.EvalNer, "eval.ner:evaluate_ner"),
    "eval stance": Verb(s.EvalStance, "eval.stance:evaluate_stance"),
    "eval alignment": Verb(s.EvalAlignment, "eval.alignment:evaluate_alignment"),
    "eval detector": Verb(s.EvalDetector, "detection.scores:evaluate_detector", file="scores.json"),
    "eval fill": Verb(s.EvalFill, "eval.fill:evaluate_fill"),
    "eval sentences": Verb(s.EvalSentences, "eval.sentences:evaluate_sentences"),
    "eval compare": Verb(s.EvalCompare, "eval.comparing:compare_results"),
    "align sentences": Verb(
        s.AlignSentences, "tasks.sentence_alignment:align_sentences", file="pairs.tsv", streams=True
    ),
    "align documents": Verb(
        s.AlignDocuments, "tasks.document_alignment:align_documents", file="pairs.tsv", streams=True
    ),
    "app": Verb(s.App, "app.serve:serve_app", writes=False),
    "report": Verb(s.Report, "eval.report:write_report", file="report.html"),
}


def make_settings(kind: type, values: dict[str, Any]) -> Any:  # noqa: ANN401 - an instance of kind
    """Settings from plain values, as a recipe has them.

    Raises:
        UserError: for unknown names, missing values or values of the wrong type.
    """
    parser = _parser_of(kind)
    try:
        return parser.instantiate_classes(parser.parse_object({"settings": values})).settings
    except (ArgumentError, ValueError) as error:
        raise UserError(one_line(error)) from error


@functools.cache
def _parser_of(kind: type) -> ArgumentParser:
    """Made once: it reads the source of the class, which takes as long as planning a stage otherwise does."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "settings")
    return parser


def one_line(error: BaseException) -> str:
    """The message of an error in one line, in plain words where it is the parser's."""
    text = re.sub(r"""^Parser key (["'])settings\1: """, "", " ".join(str(error).split()))
    text = re.sub(r"""^Parser key (["'])(?:settings\.)?(.+?)\1""", r"\2", text)
    text = re.sub(r"Expected a <class '(\w+)'>\. Got value:", r"expected \1, found", text)
    text = re.sub(r"Expected a typing\.Literal\[(.*?)\]\. Got value:", r"expected one of \1, found", text)
    if union := _UNION.search(text):
        kinds = [word or f"one of {words}" for word, words in _KIND.findall(union[1]) if word != "NoneType"]
        text = f"{text[: union.start()]}expected {' or '.join(kinds)}, found {union[2]}"
    if text.startswith(_REQUIRED):
        text = re.sub(r"(?:\w+\.)+(\w+)", r"\1", text)
    return text.replace("Group 'settings' does not", "the settings do not")


def _quiet_libraries() -> None:
    """Leave the terminal to our own lines: what ``transformers`` has to say of each load and save is in our errors."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    hub_logging.set_verbosity_error()
