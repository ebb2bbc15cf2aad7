"""Evaluation: records, intervals, the report."""
