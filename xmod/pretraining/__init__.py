"""Corpora, language sampling, masking and the trainer."""
