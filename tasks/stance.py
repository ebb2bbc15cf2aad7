"""Stance detection: is a comment for or against what a question asks? Any other labels work as well.

x-stance (Vamvas and Sennrich 2020) is read as it is published: objects with "question", "comment", "label", "language",
and in its test files "test_set", the setting that they belong to (new comments, new questions, new topics). The hub's
data set has "question_id" and "topic" instead, from which :func:`tell_settings` makes the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerFast, set_seed

from ..detection.choice import tell_languages
from ..errors import UserError, naming
from ..files import opened
from ..settings import FinetuneStance, PredictStance
from ..texts import batched, filled, json_line, language_of, name_in, read_objects, read_rows, whole_signs
from ..xmod.inference import token_budget
from ..xmod.inputs import IGNORED
from ..xmod.languages import by_adapter, same_language
from ..xmod.modeling import XmodForSequenceClassification
from ..xmod.packing import pack_rows
from ..xmod.precision import load_to_read
from ..xmod.products import reading
from .best_epoch import BestEpoch
from .finetuning import Examples, dev_of, fit, load_head, read_samples, with_each_seed
from .stance_scores import confusion, macro_f1

STEP = "finetune stance"
QUESTION, COMMENT, LABEL, SETTING = "question", "comment", "label", "test_set"
TOPIC, QUESTION_ID = "topic", "question_id"
LONGEST = "stance_longest"
"""What a config calls the number of pieces that the model was trained to read."""
CHUNK = 4096
"""Comments that are read together; memory does not grow with their number."""


@dataclass(frozen=True)
class Comment:
    """A comment on a question."""

    question: str
    comment: str
    label: str | None = None
    setting: str = ""
    """What it tests, where the data says so."""
    topic: str = ""
    """Of the question, where the data says so."""
    question_id: str = ""
    """The same for all languages that the question is asked in; the question itself where the data has none."""


@dataclass(frozen=True)
class Stances:
    """What a model says of comments."""

    probabilities: np.ndarray
    """Of each label, shape (comments, labels)."""
    cut: np.ndarray
    """Whether each was longer than the model reads, and was cut at its end, shape (comments,)."""


def finetune_stance(settings: FinetuneStance, out: str | Path) -> dict[str, Any]:
    """Fine-tune a model to tell stances and write it.

    With dev data the epoch with the best mean macro F1 over the training languages is kept, else the last.

    Args:
        settings: the model, the data, and how to train.
        out: folder to make; for several seeds each model is a folder in it, there as soon as it is trained.

    Returns:
        comments of each language, how many were cut, the dev macro F1 of each epoch and the epoch kept; for several
        seeds this of each, by the name of its folder.

    Raises:
        UserError: for data or a model that cannot be used, or dev data of a language that is not trained on.
    """
    return with_each_seed(settings, out, _finetune)


def _finetune(settings: FinetuneStance, out: str | Path) -> dict[str, Any]:
    def read(language: str, path: str) -> list[Comment]:
        return read_comments(path, language, labelled=True)

    data = read_samples(settings.train, read, settings.sentences, settings.seed)
    labels = sorted({str(item.label) for items in data.values() for item in items})
    if len(labels) < 2:
        raise UserError(f"train: expected two labels or more, found {', '.join(labels)}")
    set_seed(settings.seed)
    model, tokenizer = load_head(XmodForSequenceClassification, settings.model, labels, settings.bits)
    model.config.update({LONGEST: min(settings.longest, model.base_model.max_tokens)})
    data = by_adapter(data, model.languages)
    dev = dev_of(settings, read, data, model.languages)
    examples, cut = Examples(tokenizer.pad_token_id, IGNORED), 0
    for language, items in data.items():
        rows, shortened = encode_comments(tokenizer, items, longest_of(model))
        cut += sum(shortened)
        number = model.language_id(language)
        examples.examples += [
            {"ids": ids, "labels": labels.index(str(item.label)), "language": number}
            for ids, item in zip(rows, items, strict=True)
        ]

    def measure() -> dict[str, float]:
        return {language: _dev_score(model, tokenizer, items, language) for language, items in dev.items()}

    told = {"comments": {name: len(items) for name, items in data.items()}, "cut": cut}
    record = {"step": STEP, "languages": list(data), **told}
    return told | fit(settings, out, model, tokenizer, examples, BestEpoch("macro F1", measure), record)


def _dev_score(
    model: XmodForSequenceClassification, tokenizer: PreTrainedTokenizerFast, items: Sequence[Comment], language: str
) -> float:
    found = detect_stance(model, tokenizer, items, language).probabilities.argmax(axis=1)
    counts = confusion(label_numbers(model, items), found, model.config.num_labels)
    return round(100 * float(macro_f1(counts.sum(axis=0))), 2)


def label_numbers(model: XmodForSequenceClassification, items: Sequence[Comment]) -> np.ndarray:
    """Numbers of the labels of labelled comments.

    Raises:
        UserError: for a label that the model does not know.
    """
    known = model.config.label2id
    if strange := {str(item.label) for item in items} - set(known):
        raise UserError(f"labels {', '.join(sorted(strange))} are not the model's ({', '.join(known)})")
    return np.array([known[item.label] for item in items])


def longest_of(model: XmodForSequenceClassification) -> int:
    """Pieces of a question and its comment that the model was trained to read, or has positions for."""
    return int(getattr(model.config, LONGEST, model.base_model.max_tokens))


def read_comments(path: str, language: str | None = None, *, labelled: bool) -> list[Comment]:
    """Comments of a JSONL file or a data set of the hub.

    Args:
        path: "….jsonl", also compressed, or "hub:OWNER/NAME:CONFIG:SPLIT".
        language: of what to take, where objects say theirs; by default all.
        labelled: whether each must have a label.

    Raises:
        UserError: for an object without question, comment or label, or if there is none of the language.
    """
    items = [
        as_comment(row, place, labelled=labelled)
        for place, row in read_rows(path)
        if language is None or _is_in(row, place, language)
    ]
    if not items:
        raise UserError(f"{path}: no comment{f' in {language}' if language else ''}")
    return items


def _is_in(row: Mapping[str, Any], place: str, language: str) -> bool:
    """Whether an object is in a language, or does not say in which."""
    told = language_of(row, place, None)
    with naming(place):
        return told is None or same_language(told, language)


def as_comment(row: Mapping[str, Any], place: str, *, labelled: bool) -> Comment:
    """The comment that an object holds.

    Raises:
        UserError: if something is missing or no string.
    """
    wanted = [QUESTION, COMMENT, *([LABEL] if labelled else [])]
    for name in wanted:
        if not isinstance(row.get(name), str):
            found = f"{row[name]!r:.40}" if name in row else ", ".join(row)
            raise UserError(f'{place}: expected an object with a string "{name}", found {found}')
    setting, topic, question_id = (name_in(row, name) for name in (SETTING, TOPIC, QUESTION_ID))
    question = row[QUESTION]
    return Comment(question, row[COMMENT], row.get(LABEL), setting, topic, question_id or question)


def tell_settings(items: Sequence[Comment], learned: Sequence[Comment]) -> list[Comment]:
    """The comments with x-stance's settings, where they have topics and do not name a setting themselves.

    A question that was learned from gives "new comments", another one of a topic that was "new questions", any other
    "new topics" (Vamvas and Sennrich 2020, section 3.3).
    """
    questions, topics = {item.question_id for item in learned}, {item.topic for item in learned}
    if "" in topics or not topics or any(item.setting or not item.topic for item in items):
        return list(items)

    def setting(item: Comment) -> str:
        if item.question_id in questions:
            return "new comments"
        return "new questions" if item.topic in topics else "new topics"

    return [replace(item, setting=setting(item)) for item in items]


def encode_comments(
    tokenizer: PreTrainedTokenizerFast, items: Sequence[Comment], longest: int
) -> tuple[list[list[int]], list[bool]]:
    """Ids of question and comment, with the special pieces, and whether they had to be cut."""
    texts = [whole_signs(item.question) for item in items], [whole_signs(item.comment) for item in items]
    whole = tokenizer(*texts, verbose=False)["input_ids"]
    cut = [len(ids) > longest for ids in whole]
    if not any(cut):
        return whole, cut
    return tokenizer(*texts, truncation="longest_first", max_length=longest)["input_ids"], cut


def detect_stance(
    model: XmodForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    items: Sequence[Comment],
    language: str | Sequence[str],
) -> Stances:
    """Probabilities of the labels of each comment.

    Args:
        model: fine-tuned; in evaluation mode afterwards.
        tokenizer: of the model.
        items: the comments.
        language: of all, or one for each; a BCP-47 tag or an adapter's key.

    Raises:
        UserError: if the model has no adapter for a language.
    """
    model.eval()
    names = [language] * len(items) if isinstance(language, str) else list(language)
    numbers = [model.language_id(name) for name in names]
    rows, cut = encode_comments(tokenizer, items, longest_of(model)) if items else ([], [])
    found = np.zeros((len(items), model.config.num_labels), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda i: (numbers[i], -len(rows[i])))
    with reading(model), tqdm(total=len(rows), desc="stance", unit="comment", disable=None, leave=False) as bar:
        for batch in filled(order, lambda i: len(rows[i]), token_budget(model.device)):
            ids, packed = pack_rows([rows[i] for i in batch], [numbers[i] for i in batch])
            scores = model(ids.to(model.device), packed=packed).logits.float().softmax(dim=-1)
            found[batch] = scores.cpu().numpy()
            bar.update(len(batch))
    return Stances(found, np.array(cut, dtype=bool))


def predict_stance(settings: PredictStance, out: str | Path) -> dict[str, Any]:
    """Tell the stance of each comment of a file.

    Args:
        settings: the model and the comments.
        out: JSONL file to write, or "-": what each object had, "stance", and "probabilities" of all labels; where no
            language is given, the "language" detected by the comment, and how sure that is ("detected").

    Returns:
        number of comments of each stance, and of those that were cut.

    Raises:
        UserError: for a file that cannot be read, or a language that has no adapter or cannot be detected.
    """
    model, tokenizer = load_to_read(
        XmodForSequenceClassification, settings.model, settings.precision, bits=settings.bits
    )
    labels = [model.config.id2label[number] for number in range(model.config.num_labels)]
    counts, cut, detected = Counter(dict.fromkeys(labels, 0)), 0, Counter[str]()
    with opened(out) as file:
        for chunk in batched(read_objects(settings.text), CHUNK):
            items = [as_comment(row, place, labelled=False) for place, row in chunk]
            comments = [item.comment for item in items]
            both = [f"{item.question}\n{item.comment}" for item in items]
            languages = tell_languages(chunk, settings.language, comments, both, model.languages, detected)
            found = detect_stance(model, tokenizer, items, languages)
            cut += int(found.cut.sum())
            for (_, row), shares in zip(chunk, found.probabilities.tolist(), strict=True):
                stance = labels[int(np.argmax(shares))]
                counts[stance] += 1
                chances = {label: round(share, 4) for label, share in zip(labels, shares, strict=True)}
                told = {"stance": stance, "probabilities": chances}
                file.write(json_line(row | told))
    return {"comments": dict(counts), "cut": cut} | ({"detected": dict(detected)} if detected else {})
