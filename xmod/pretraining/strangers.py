"""Text of another language than a corpus says: a filter for documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...detection.detector import UNSURE, LanguageDetector
from ...errors import UserError
from ...texts import filled
from ..languages import same_language

CHARACTERS = 1_000_000
"""Text that is read together."""


class OwnLanguage:
    """Lets the documents of one language pass; what does not show its language passes too."""

    def __init__(self, adapter: str) -> None:
        """For the corpus of an adapter.

        Raises:
            UserError: if its language is none that is detected.
        """
        self.adapter = adapter
        self.detector = LanguageDetector.load()
        own = [name for name in self.detector.languages if same_language(name, adapter)]
        if not own:
            raise UserError(
                f"drop_other_languages: {adapter} is none that is detected ({', '.join(self.detector.languages)})"
            )
        self.passing = {*own, UNSURE}
        self.dropped = 0
        """Documents that did not pass so far."""

    def filter(self, documents: Iterable[str]) -> Iterator[str]:
        """Those that pass, in their order.

        Raises:
            UserError: if there is none.
        """
        passed = 0
        for part in filled(documents, len, CHARACTERS):
            for document, found in zip(part, self.detector.detect(part), strict=True):
                if found.language in self.passing:
                    passed += 1
                    yield document
                else:
                    self.dropped += 1
        if not passed:
            raise UserError(f"drop_other_languages: no document of the corpus of {self.adapter} is in its language")
