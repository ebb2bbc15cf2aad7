"""Text that comes again: a filter for documents that are nearly an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...files import needs_data_extra

RUN = 5
"""Words of a run: documents are compared by the runs they share."""
HASHES = 128
_WORD = re.compile(r"\w+")


def without_near_duplicates(documents: Iterator[str], threshold: float) -> Iterator[str]:
    """The documents of which no earlier one has ``threshold`` of the runs of five words in common, or more.

    The share is the Jaccard index of the two sets of runs, estimated by MinHash and searched by locality-sensitive
    hashing (Broder 1997, "On the resemblance and containment of documents"), at about a kilobyte of memory a document.
    Letter case and signs do not count; a text of less than five words is one run.

    Raises:
        UserError: if the package ``datasketch`` is missing.
    """
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise needs_data_extra("near_duplicates: filters") from error
    index = MinHashLSH(threshold=threshold, num_perm=HASHES)
    sketches: dict[int, Any] = {}
    for number, document in enumerate(documents):
        sketch = MinHash(num_perm=HASHES)
        sketch.update_batch(_runs(document))
        if any(sketches[other].jaccard(sketch) >= threshold for other in index.query(sketch)):
            continue
        index.insert(number, sketch)
        sketches[number] = sketch
        yield document


def _runs(document: str) -> set[bytes]:
    words = _WORD.findall(document.lower())
    return {" ".join(words[start : start + RUN]).encode() for start in range(max(1, len(words) - RUN + 1))}
