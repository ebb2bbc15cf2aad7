"""Tasks: a loader, a head and a metric each."""
