"""How a vocabulary cuts text, side by side with others: a table, JSON, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from ..files import new_folder, refuse_used_folder, write_json, write_text
from ..settings import VocabReport
from ..texts import Paths, read_documents, take_characters
from .folders import load_tokenizer
from .measure import Cut, count_text, cut_words
from .pieces import Pieces
from .pipeline import BYTES
from .sentencepiece import read_sentencepiece

OURS = "vocabulary"
Rows = list[dict[str, Any]]


def report_vocabulary(settings: VocabReport, out: str | Path) -> dict[str, Any]:
    """Measure a vocabulary and others, and write ``report.json``, ``report.md`` and ``fertility.png``.

    Without the extra "report" there is no plot.

    Args:
        settings: the vocabulary, the text, and what to compare with.
        out: folder to make.

    Returns:
        what ``report.json`` holds: ``text``, a row for each tokenizer and language with fertility (pieces per
        white-space word), whole (share of words that are one piece), unknown (pieces), characters per piece;
        ``overlap`` with each other vocabulary; ``pieces``: the longest ones, the rarest ones in this text, and how many
        it does not use.

    Raises:
        UserError: for text or tokenizers that cannot be read.
    """
    refuse_used_folder(out)
    tokenizers = {name: _load(source) for name, source in ({OURS: settings.vocab} | settings.compare).items()}
    texts = {language: _words(paths, settings) for language, paths in settings.corpora.items()}
    cuts = {
        name: {language: cut_words(tokenizer, words) for language, words in texts.items()}
        for name, tokenizer in tokenizers.items()
    }
    ours = Pieces(tokenizers[OURS])
    report = {
        "text": [
            _row(name, language, cut) for name, by_language in cuts.items() for language, cut in by_language.items()
        ],
        "overlap": [_overlap(ours, name, Pieces(tokenizers[name])) for name in settings.compare],
        "pieces": _notable(ours, cuts[OURS], len(tokenizers[OURS]), settings.longest),
    }
    with new_folder(out) as folder:
        write_json(folder / "report.json", report)
        write_text(folder / "report.md", _as_markdown(report))
        _plot(cuts, folder / "fertility.png")
    return report


def _load(source: str) -> PreTrainedTokenizerFast:
    return read_sentencepiece(source) if source.endswith(".model") else load_tokenizer(source, roles=())


def _words(paths: Paths, settings: VocabReport) -> Mapping[str, int]:
    return count_text(take_characters(read_documents(paths, settings.text_column), settings.characters))


def _row(name: str, language: str, cut: Cut) -> dict[str, Any]:
    return {
        "tokenizer": name,
        "language": language,
        "words": cut.words,
        "fertility": round(cut.fertility, 4),
        "whole": round(cut.whole / cut.words, 4),
        "unknown": cut.unknown,
        "characters_per_piece": round(cut.characters / cut.pieces, 3),
    }


def _overlap(ours: Pieces, name: str, other: Pieces) -> dict[str, Any]:
    shared = len(ours.numbers.keys() & other.numbers.keys())
    return {
        "tokenizer": name,
        "pieces": len(other.numbers),
        "shared": shared,
        "share_of_vocabulary": round(shared / len(ours.numbers), 4),
        "share_of_other": round(shared / len(other.numbers), 4),
    }


def _notable(ours: Pieces, cuts: Mapping[str, Cut], size: int, count: int) -> dict[str, Any]:
    uses = np.sum([cut.uses for cut in cuts.values()], axis=0)
    pieces = {piece: number for piece, number in ours.numbers.items() if piece not in BYTES}
    longest = sorted(pieces, key=lambda piece: (-len(piece), piece))
    used = [piece for piece in pieces if uses[pieces[piece]]]
    # Pieces are numbered by probability, so that among the equally rare the least probable come first.
    rarest = sorted(used, key=lambda piece: (uses[pieces[piece]], -pieces[piece]))
    return {
        "size": size,
        "not_used_here": len(pieces) - len(used),
        "longest": longest[:count],
        "rarest": {piece: int(uses[pieces[piece]]) for piece in rarest[:count]},
    }


def _as_markdown(report: Mapping[str, Any]) -> str:
    pieces = report["pieces"]
    parts = [
        "# How the vocabulary cuts text",
        "Fertility: pieces per white-space word. Whole: share of the words that are one piece. Unknown: pieces.",
        _table(report["text"]),
        *(["## Pieces shared with others", _table(report["overlap"])] if report["overlap"] else []),
        f"## Pieces\n\n{pieces['size']} pieces, {pieces['not_used_here']} of them not used in this text.",
        "Longest: " + ", ".join(f"`{piece}`" for piece in pieces["longest"]),
        "Rarest (uses): " + ", ".join(f"`{piece}` ({uses})" for piece, uses in pieces["rarest"].items()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(rows: Rows) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    return "\n".join(lines + ["| " + " | ".join(map(str, row.values())) + " |" for row in rows])


def _plot(cuts: Mapping[str, Mapping[str, Cut]], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:  # the extra "report" is not installed
        return
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    languages = list(cuts[OURS])
    width = 0.8 / len(cuts)
    for number, (name, by_language) in enumerate(cuts.items()):
        places = [place + (number - (len(cuts) - 1) / 2) * width for place in range(len(languages))]
        bars = axes.bar(places, [by_language[language].fertility for language in languages], width, label=name)
        axes.bar_label(bars, fmt="%.2f", fontsize=7)
    axes.set_xticks(range(len(languages)), languages)
    axes.set_ylabel("pieces per word (fewer is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.15)
    axes.legend(frameon=False, ncols=len(cuts), loc="upper center", fontsize=8)
    figure.savefig(path, dpi=150, metadata={"Software": None})
