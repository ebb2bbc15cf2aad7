"""A component for spaCy: ``nlp.add_pipe("swissxmod_ner", config={"model": "ner", "language": "rm"})``.

spaCy finds it by the entry point in pyproject.toml; nothing here needs to be imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans, minibatch

from ..errors import UserError
from .tagger import Entity, Tagger

NAME = "swissxmod_ner"
MULTIPLE = "xx"
"""spaCy's pipeline of no language in particular."""


@Language.factory(
    NAME,
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config={"model": "", "language": None, "wrapped": False},
)
def make_component(nlp: Language, name: str, model: str, language: str | None, wrapped: bool) -> NerComponent:
    """Load the tagger.

    Args:
        nlp: the pipeline.
        name: of the component in it, and of its span group.
        model: folder or hub name of a tagger.
        language: of the texts; the pipeline's by default, which must be one of the model's, or in a pipeline of no
            language ("xx") that of each line is detected.
        wrapped: as for :class:`Tagger`.

    Raises:
        UserError: for a model that cannot be loaded, or without an adapter for the language.
    """
    if not model:
        raise UserError(f'{name}: which tagger? nlp.add_pipe("{NAME}", config={{"model": FOLDER}})')
    tagger = Tagger.load(model)
    spoken = language or (None if nlp.lang == MULTIPLE else str(nlp.lang))
    if spoken is not None:
        tagger.model.language_id(spoken)
    return NerComponent(tagger, name, spoken, wrapped=wrapped)


class NerComponent:
    """Sets ``doc.ents``, and ``doc.spans`` under its name with the score of each name (``attrs["scores"]``).

    A name that ends within a token takes all of it. Entities that a component before it set stay, and names that
    overlap them are only in ``doc.spans``.
    """

    def __init__(self, tagger: Tagger, name: str, language: str | None, *, wrapped: bool) -> None:
        self.tagger = tagger
        self.name = name
        self.language = language
        self.wrapped = wrapped

    def __call__(self, doc: Doc) -> Doc:
        """Find the names in a document."""
        return next(self.pipe([doc]))

    def pipe(self, docs: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Find the names in documents, several at a time, which is faster."""
        for batch in minibatch(docs, batch_size):
            found = self.tagger([doc.text for doc in batch], self.language, wrapped=self.wrapped)
            for doc, names in zip(batch, found, strict=True):
                yield self._annotated(doc, names)

    def _annotated(self, doc: Doc, names: Iterable[Entity]) -> Doc:
        scores: list[float] = []
        spans: list[Span] = []
        for entity in names:
            span = doc.char_span(entity.start, entity.end, label=entity.label, alignment_mode="expand")
            if span is not None:  # as spaCy's types have it; expanded spans always are some
                spans.append(span)
                scores.append(entity.score)
        doc.spans[self.name] = SpanGroup(doc, name=self.name, spans=spans, attrs={"scores": scores})
        taken = {token for span in doc.ents for token in range(span.start, span.end)}
        free = [span for span in filter_spans(spans) if taken.isdisjoint(range(span.start, span.end))]
        doc.set_ents([*doc.ents, *free])
        return doc
