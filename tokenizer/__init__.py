"""The Swiss subword vocabulary."""
