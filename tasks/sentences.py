"""Sentences whose tokens have tags: as a file has them, and as the rest of the package takes them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RawSentence:
    """Tokens with a tag each, in the scheme of the file."""

    document: str = ""
    """The document it is from; empty where the file does not say."""
    words: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    """Where each token stands ("file:line"), for errors."""
    seen: list[str] = field(default_factory=list)
    """What a model shall read for each token, where that is not the tokens."""


@dataclass(frozen=True)
class TaggedSentence:
    """Tokens with an IOB2 tag each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    document: str
    """The document it is from; its own number where the file does not say."""
    seen: tuple[str, ...] = ()
    """What a model reads for each token: a word that a line end broke stands whole at its first part, and "" at the
    others. Empty where it is the tokens."""

    @property
    def read(self) -> tuple[str, ...]:
        """What a model reads for each token."""
        return self.seen or self.words
