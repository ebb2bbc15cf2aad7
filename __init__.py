"""Modular multilingual encoders in the manner of SwissBERT: train, extend, fine-tune and evaluate.

The public names are loaded when they are first used, so ``import swissxmod`` costs nothing and touches no network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .app.serve import serve_app
    from .detection.detector import Detected, LanguageDetector
    from .detection.predict import predict_language
    from .detection.scores import evaluate_detector
    from .detection.training import train_detector
    from .errors import UserError
    from .eval.alignment import evaluate_alignment
    from .eval.card import write_card
    from .eval.comparing import compare_results
    from .eval.fill import evaluate_fill
    from .eval.ner import evaluate_ner
    from .eval.records import Record, read_records
    from .eval.report import write_report
    from .eval.sentences import evaluate_sentences
    from .eval.stance import evaluate_stance
    from .harness import evaluate_suite
    from .recipe import run_recipe
    from .settings import (
        AdapterExport,
        AdapterImport,
        AdapterList,
        AdapterPull,
        AdapterPush,
        AlignDocuments,
        AlignSentences,
        AlignWords,
        App,
        DetectorTrain,
        Embed,
        EvalAlignment,
        EvalCompare,
        EvalDetector,
        EvalFill,
        EvalNer,
        EvalSentences,
        EvalStance,
        EvalSuite,
        FinetuneAlignment,
        FinetuneNer,
        FinetuneStance,
        ModelCard,
        ModelCompress,
        ModelInfo,
        ModelInit,
        ModelMerge,
        ModelModularise,
        PredictFill,
        PredictLanguage,
        PredictNer,
        PredictStance,
        Pretrain,
        Report,
        VocabImport,
        VocabReport,
        VocabTrain,
        VocabTransplant,
    )
    from .tasks.alignment_tuning import finetune_alignment
    from .tasks.document_alignment import align_documents
    from .tasks.embed import embed
    from .tasks.fill import predict_fill
    from .tasks.ner import finetune_ner
    from .tasks.predict import predict_ner
    from .tasks.sentence_alignment import align_sentences
    from .tasks.sentence_encoder import SentenceEncoder
    from .tasks.stance import detect_stance, finetune_stance, predict_stance, read_comments
    from .tasks.tagger import Entity, Tagger
    from .tasks.tagging import tag_sentences
    from .tasks.word_alignment import align_words
    from .tokenizer.folders import load_tokenizer
    from .tokenizer.report import report_vocabulary
    from .tokenizer.sentencepiece import import_vocabulary
    from .tokenizer.training import train_vocabulary
    from .xmod.adapter_files import export_language, import_language, list_languages
    from .xmod.checkpoints import load, load_model, load_with_tokenizer
    from .xmod.compression import compress_model
    from .xmod.encoding import encode
    from .xmod.info import model_info
    from .xmod.initialise import init_model
    from .xmod.modeling import (
        XmodForMaskedLM,
        XmodForQuestionAnswering,
        XmodForSequenceClassification,
        XmodForTokenClassification,
        XmodModel,
    )
    from .xmod.modularise import modularise_model
    from .xmod.pretraining.run import pretrain
    from .xmod.sharing import pull_adapter, push_adapter
    from .xmod.tuned_folders import merge_model
    from .xmod.tuning import peft_config
    from .xmod.vocabulary import transplant_vocabulary

_HOMES = {
    "app.serve": ["serve_app"],
    "detection.detector": ["Detected", "LanguageDetector"],
    "detection.predict": ["predict_language"],
    "detection.scores": ["evaluate_detector"],
    "detection.training": ["train_detector"],
    "errors": ["UserError"],
    "eval.alignment": ["evaluate_alignment"],
    "eval.card": ["write_card"],
    "eval.comparing": ["compare_results"],
    "eval.fill": ["evaluate_fill"],
    "eval.ner": ["evaluate_ner"],
    "eval.records": ["Record", "read_records"],
    "eval.report": ["write_report"],
    "eval.sentences": ["evaluate_sentences"],
    "eval.stance": ["evaluate_stance"],
    "harness": ["evaluate_suite"],
    "recipe": ["run_recipe"],
    "settings": [
        "AdapterExport", "AdapterImport", "AdapterList", "AdapterPull", "AdapterPush", "AlignDocuments",
        "AlignSentences", "AlignWords", "App", "DetectorTrain", "Embed", "EvalAlignment", "EvalCompare", "EvalDetector",
        "EvalFill", "EvalNer", "EvalSentences", "EvalStance", "EvalSuite", "FinetuneAlignment", "FinetuneNer",
        "FinetuneStance", "ModelCard", "ModelCompress", "ModelInfo", "ModelInit", "ModelMerge", "ModelModularise",
        "PredictFill", "PredictLanguage", "PredictNer", "PredictStance", "Pretrain", "Report", "VocabImport",
        "VocabReport", "VocabTrain", "VocabTransplant",
    ],
    "tasks.alignment_tuning": ["finetune_alignment"],
    "tasks.document_alignment": ["align_documents"],
    "tasks.embed": ["embed"],
    "tasks.fill": ["predict_fill"],
    "tasks.ner": ["finetune_ner"],
    "tasks.predict": ["predict_ner"],
    "tasks.sentence_alignment": ["align_sentences"],
    "tasks.sentence_encoder": ["SentenceEncoder"],
    "tasks.stance": ["detect_stance", "finetune_stance", "predict_stance", "read_comments"],
    "tasks.tagger": ["Entity", "Tagger"],
    "tasks.tagging": ["tag_sentences"],
    "tasks.word_alignment": ["align_words"],
    "tokenizer.folders": ["load_tokenizer"],
    "tokenizer.report": ["report_vocabulary"],
    "tokenizer.sentencepiece": ["import_vocabulary"],
    "tokenizer.training": ["train_vocabulary"],
    "xmod.adapter_files": ["export_language", "import_language", "list_languages"],
    "xmod.checkpoints": ["load", "load_model", "load_with_tokenizer"],
    "xmod.compression": ["compress_model"],
    "xmod.encoding": ["encode"],
    "xmod.modeling": [
        "XmodForMaskedLM", "XmodForQuestionAnswering", "XmodForSequenceClassification", "XmodForTokenClassification",
        "XmodModel",
    ],
    "xmod.info": ["model_info"],
    "xmod.initialise": ["init_model"],
    "xmod.modularise": ["modularise_model"],
    "xmod.pretraining.run": ["pretrain"],
    "xmod.sharing": ["pull_adapter", "push_adapter"],
    "xmod.tuned_folders": ["merge_model"],
    "xmod.tuning": ["peft_config"],
    "xmod.vocabulary": ["transplant_vocabulary"],
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}
# Without its extra SentenceEncoder cannot be imported, which must not spoil `from swissxmod import *`.
__all__ = sorted(_HOME.keys() - {"SentenceEncoder"})  # noqa: PLE0605


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    if name == "__version__":
        from importlib.metadata import version

        return version("swissxmod")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*_HOME, "__version__"]
