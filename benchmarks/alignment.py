"""Alignment beside the plain way of doing it: one sentence at a time, in Python loops, as published evaluations do.

Run: python benchmarks/alignment.py --model FOLDER [--source dev.de --target dev.rm] [--pairs 300] [--json out.json]

Words: the reference runs ``transformers``' X-MOD on one sentence after the other, averages layers and pieces, and
matches with networkx. Sentences: the reference encodes each candidate anew for every query and scores one pair at a
time by the definition of BERTScore; it is timed on a few queries and multiplied. Links and found sentences must be
the same.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import networkx
import torch
import transformers
from common import machine, median_seconds
from torch import Tensor

from swissxmod.settings import Precision
from swissxmod.tasks.links import Links
from swissxmod.tasks.sentence_alignment import find_translations
from swissxmod.tasks.word_alignment import Linking, all_links, load_encoder, word_vectors
from swissxmod.xmod.languages import resolve_language

SAMPLE = Path(__file__).parents[1] / "sample" / "alignment" / "de-rm"
QUERIES = 3
"""Sentences that the reference searches for; the rest would take as long each."""
OTHER_LINKS: dict[Precision, float] = {"float32": 1 / 1000, "bfloat16": 1 / 100}
"""Share of the links that may differ from the reference's, by precision."""
Pairs = list[tuple[str, str]]


class Reference:
    """Stock model, one sentence at a time."""

    def __init__(self, folder: str) -> None:
        self.model = transformers.XmodModel.from_pretrained(folder, add_pooling_layer=False).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def states(self, words: list[str], language: str) -> tuple[Tensor, list[int]]:
        """States of the pieces in all layers, shape (layers, pieces, hidden), and the word of each."""
        encoded = self.tokenizer(words, is_split_into_words=True, return_tensors="pt", truncation=True, max_length=512)
        number = self.model.config.languages.index(resolve_language(language, self.model.config.languages))
        output = self.model(**encoded, lang_ids=torch.tensor([number]), output_hidden_states=True)
        places = [i for i, word in enumerate(encoded.word_ids()) if word is not None]
        states = torch.stack(output.hidden_states)[:, 0, places]
        return states, [encoded.word_ids()[i] for i in places]

    def words(self, text: str, language: str) -> Tensor:
        """The mean of all layers and of the pieces of each word."""
        words = text.split()
        states, owners = self.states(words, language)
        mean = states.mean(dim=0)
        rows = [mean[[i for i, owner in enumerate(owners) if owner == word]].mean(dim=0) for word in range(len(words))]
        return torch.stack(rows)

    def links(self, pairs: Pairs, languages: tuple[str, str]) -> list[Links]:
        """Maximum-weight matching of every pair."""
        found = []
        for source, target in pairs:
            left, right = self.words(source, languages[0]), self.words(target, languages[1])
            graph = networkx.Graph()
            for i, one in enumerate(left):
                for j, other in enumerate(right):
                    cosine = torch.nn.functional.cosine_similarity(one, other, dim=0).item()
                    graph.add_edge(("s", i), ("t", j), weight=cosine)
            matching = networkx.max_weight_matching(graph, maxcardinality=True)
            sides = [dict(sorted(edge)) for edge in matching]
            found.append({(side["s"], side["t"]) for side in sides})
        return found

    def best(self, query: str, candidates: list[str], languages: tuple[str, str]) -> int:
        """The candidate with the highest BERTScore F1 on the last layer."""
        scores = []
        for candidate in candidates:
            left = self.states(query.split(), languages[0])[0][-1]
            right = self.states(candidate.split(), languages[1])[0][-1]
            cosines = torch.nn.functional.normalize(left, dim=1) @ torch.nn.functional.normalize(right, dim=1).T
            precision, recall = cosines.amax(dim=1).mean().item(), cosines.amax(dim=0).mean().item()
            scores.append(2 * precision * recall / (precision + recall))
        return max(range(len(scores)), key=scores.__getitem__)


def our_links(folder: str, pairs: Pairs, languages: tuple[str, str], precision: Precision) -> list[Links]:
    """As ``align words`` does it, the model loaded anew."""
    model, tokenizer = load_encoder(folder, precision)
    linking = Linking()
    sides = [
        word_vectors(model, tokenizer, [pair[side].split() for pair in pairs], name, linking.layer)
        for side, name in enumerate(languages)
    ]
    return list(all_links((sides[0], sides[1]), linking))


def words(folder: str, pairs: Pairs, languages: tuple[str, str], rounds: int) -> dict[str, Any]:
    """Links of all pairs, by the loop and by us in each precision."""
    runs = {name: partial(our_links, folder, pairs, languages, name) for name in OTHER_LINKS}

    def loop() -> list[Links]:
        return Reference(folder).links(pairs, languages)

    reference, told = loop(), {}
    for name, run in runs.items():
        ours = run()
        different = sum(a != b for a, b in zip(reference, ours, strict=True))
        links = sum(len(a ^ b) for a, b in zip(reference, ours, strict=True))
        if links > sum(map(len, ours)) * OTHER_LINKS[name]:
            raise SystemExit(f"{name}: other links in {different} of {len(pairs)} pairs")
        told[name] = {"pairs with another link": different, "links that only one has": links / sum(map(len, reference))}
    seconds = median_seconds({"loop": loop, **runs}, rounds, "cpu")
    ratios = {name: seconds["loop"] / seconds[name] for name in runs}
    return {"pairs": len(pairs), "other links": told, "seconds": seconds, "ratio": ratios}


def sentences(folder: str, pairs: Pairs, languages: tuple[str, str], rounds: int) -> dict[str, Any]:
    """BERTScore retrieval, both ways."""
    sides = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    model, tokenizer = load_encoder(folder)
    search = partial(find_translations, model, tokenizer, sides, languages, "bertscore")
    found = search().found.there
    reference = Reference(folder)
    start = time.perf_counter()
    expected = [reference.best(query, sides[1], languages) for query in sides[0][:QUERIES]]
    loop = (time.perf_counter() - start) / QUERIES * len(pairs)
    if expected != found[:QUERIES].tolist():
        raise SystemExit(f"other sentences: {found[:QUERIES].tolist()}, expected {expected}")
    ours = median_seconds({"ours": search}, rounds, "cpu")["ours"]
    return {"pairs": len(pairs), "seconds": {"loop, extrapolated": loop, "ours": ours}, "ratio": loop / ours}


def main() -> None:
    """Run, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of an X-MOD model")
    parser.add_argument("--source", type=Path, default=SAMPLE / "dev.de")
    parser.add_argument("--target", type=Path, default=SAMPLE / "dev.rm")
    parser.add_argument("--languages", nargs=2, default=["de", "rm"])
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    sides = [path.read_text(encoding="utf-8").splitlines()[: given.pairs] for path in (given.source, given.target)]
    pairs = list(zip(*sides, strict=True))
    languages = given.languages[0], given.languages[1]
    record = {
        "machine": machine("cpu"),
        "words": words(given.model, pairs, languages, given.rounds),
        "sentences": sentences(given.model, pairs, languages, given.rounds),
    }
    print(json.dumps(record, indent=2))
    if given.json:
        given.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
