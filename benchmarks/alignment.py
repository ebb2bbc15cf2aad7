"""Alignment beside the evaluation notebook of SwissBERT (Vamvas et al. 2023): one sentence at a time.

Run: python benchmarks/alignment.py --model FOLDER [--source dev.de --target dev.rm] [--pairs 300] [--json out.json]

Words: the reference runs ``transformers``' X-MOD on one sentence after the other, averages layers and pieces, and
matches with networkx. Sentences: the reference pads each one to 512 pieces, and compares one source at a time with all
targets, padding and all, in float64; it is timed on a few sentences and multiplied. A second reference leaves out the
padding, to tell what it costs. Links and found sentences must be the same.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import networkx
import torch
import transformers
from common import machine, median_seconds
from scipy.sparse import csr_matrix
from torch import Tensor

from swissxmod.settings import Precision
from swissxmod.tasks.links import Links
from swissxmod.tasks.sentence_alignment import find_translations
from swissxmod.tasks.word_alignment import Linking, all_links, load_encoder, word_vectors
from swissxmod.xmod.languages import resolve_language

SAMPLE = Path(__file__).parents[1] / "sample" / "alignment" / "de-rm"
TIMED = 3
"""Sentences that the padded reference encodes and searches for; each of the rest takes as long."""
PADDED = 512
OTHER_LINKS: dict[Precision, float] = {"float32": 1 / 1000, "bfloat16": 1 / 100}
"""Share of the links that may differ from the reference's, by precision."""
Pairs = list[tuple[str, str]]
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Reference:
    """Stock model, one sentence at a time."""

    def __init__(self, folder: str) -> None:
        self.model = transformers.XmodModel.from_pretrained(folder, add_pooling_layer=False).eval()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    @torch.no_grad()
    def states(self, text: str, language: str, length: int | None = None) -> tuple[Tensor, list[int | None]]:
        """The mean of all layers, shape (pieces, hidden), zero where there is padding, and the word of each piece."""
        padding = {"padding": "max_length", "max_length": length} if length else {}
        encoded = self.tokenizer(text.split(), is_split_into_words=True, return_tensors="pt", **padding)
        number = self.model.config.languages.index(resolve_language(language, self.model.config.languages))
        output = self.model(**encoded, lang_ids=torch.tensor([number]), output_hidden_states=True)
        mean = torch.stack(output.hidden_states).mean(dim=0)
        return (mean * encoded["attention_mask"][..., None])[0], encoded.word_ids()

    def words(self, text: str, language: str) -> Tensor:
        """The mean of the pieces of each word, shape (words, hidden)."""
        states, owners = self.states(text, language)
        sums, counts = torch.zeros(len(text.split()), states.shape[1]), torch.zeros(len(text.split()), 1)
        for state, word in zip(states, owners, strict=True):
            if word is not None:
                sums[word] += state
                counts[word] += 1
        return sums / counts

    def links(self, pairs: Pairs, languages: tuple[str, str]) -> list[Links]:
        """Maximum-weight matching of every pair."""
        found = []
        for source, target in pairs:
            left, right = self.words(source, languages[0]), self.words(target, languages[1])
            cosines = torch.nn.functional.normalize(left, dim=1) @ torch.nn.functional.normalize(right, dim=1).T
            graph = networkx.bipartite.from_biadjacency_matrix(csr_matrix(((1 + cosines) / 2).numpy()))
            matching = networkx.max_weight_matching(graph, maxcardinality=True)
            found.append({(min(edge), max(edge) - len(left)) for edge in matching})
        return found

    def padded(self, text: str, language: str) -> Tensor:
        """States as far as the model reads, shape (512, hidden)."""
        return self.states(text, language, PADDED)[0].double()

    def unpadded(self, text: str, language: str) -> Tensor:
        """States of the pieces that there are."""
        return self.states(text, language)[0]


def best_of_padded(query: Tensor, candidates: Tensor) -> int:
    """The candidate with the highest BERTScore F1: (512, hidden) with (candidates, 512, hidden), zero is padding."""
    query, candidates = query.repeat(len(candidates), 1, 1), candidates.clone()
    query_mask, mask = (query != 0).all(dim=2), (candidates != 0).all(dim=2)
    query[~query_mask] = candidates[~mask] = 1
    query /= query.norm(dim=2, keepdim=True)
    candidates /= candidates.norm(dim=2, keepdim=True)
    cosines = candidates @ query.transpose(1, 2) * (mask[:, :, None].double() @ query_mask[:, None].double())
    precision = cosines.amax(dim=2).sum(dim=1) / mask.sum(dim=1)
    recall = cosines.amax(dim=1).sum(dim=1) / query_mask.sum(dim=1)
    return int((2 * precision * recall / (precision + recall)).argmax())


def best_of_unpadded(query: Tensor, candidates: list[Tensor]) -> int:
    """The same, one candidate after the other."""
    scores = []
    query = torch.nn.functional.normalize(query, dim=1)
    for candidate in candidates:
        cosines = torch.nn.functional.normalize(candidate, dim=1) @ query.T
        precision, recall = cosines.amax(dim=1).mean().item(), cosines.amax(dim=0).mean().item()
        scores.append(2 * precision * recall / (precision + recall))
    return max(range(len(scores)), key=scores.__getitem__)


def timed(run: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> tuple[list[ResultT], float]:
    """Results, and seconds for each."""
    start = time.perf_counter()
    results = [run(item) for item in items]
    return results, (time.perf_counter() - start) / len(results)


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
    """BERTScore retrieval; ours in both directions."""
    sides = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    model, tokenizer = load_encoder(folder)
    search = partial(find_translations, model, tokenizer, sides, languages, "bertscore")
    found = search().found.there.tolist()
    reference, seconds = Reference(folder), {}

    (queries, candidates), each = zip(
        *(
            timed(partial(reference.unpadded, language=language), side)
            for side, language in zip(sides, languages, strict=True)
        ),
        strict=True,
    )
    expected, scoring = timed(partial(best_of_unpadded, candidates=candidates), queries)
    if expected != found:
        raise SystemExit(f"other sentences: {found}, expected {expected}")
    seconds["loop without padding"] = len(pairs) * (sum(each) + scoring)

    queries, encoding = timed(partial(reference.padded, language=languages[0]), sides[0][:TIMED])
    # Padding changes no state, so the candidates need not be encoded a second time.
    filled = torch.stack([torch.nn.functional.pad(rows, (0, 0, 0, PADDED - len(rows))) for rows in candidates]).double()
    expected, scoring = timed(partial(best_of_padded, candidates=filled), queries)
    if expected != found[:TIMED]:
        raise SystemExit(f"other sentences: {found[:TIMED]}, expected {expected}")
    seconds["loop, extrapolated"] = len(pairs) * (2 * encoding + scoring)

    seconds["ours"] = median_seconds({"ours": search}, rounds, "cpu")["ours"]
    ratios = {name: value / seconds["ours"] for name, value in seconds.items()}
    return {"pairs": len(pairs), "seconds": seconds, "ratio": ratios}


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
