"""The learning curve of a pretraining as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..training import MEAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, DEV = "loss_", f"eval_{MEAN}_"
"""What the keys of a curve begin with: training loss in nats per piece, dev loss in bits per character."""


def write_curve(curve: Sequence[dict[str, float]], path: Path) -> None:
    """Draw the loss of each language over the steps, and below it what was measured on dev, if it was.

    Does nothing where matplotlib is not installed.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError:
        return
    panels = {"training loss (nats per piece)": TRAINING}
    if any(key.startswith(DEV) for row in curve for key in row):
        panels["dev loss (bits per character)"] = DEV
    with style.context("default"):
        figure = Figure(figsize=(7, 3 * len(panels)), layout="constrained")
        for number, (title, prefix) in enumerate(panels.items(), 1):
            axes = figure.add_subplot(len(panels), 1, number)
            _draw(axes, curve, prefix)
            axes.set_ylabel(title)
        axes.set_xlabel("step")
        figure.savefig(path, dpi=150)


def _draw(axes: Axes, curve: Sequence[dict[str, float]], prefix: str) -> None:
    names = dict.fromkeys(key for row in curve for key in row if key.startswith(prefix))
    for key in names:
        points = [(row["step"], row[key]) for row in curve if key in row]
        marker = "o" if len(points) < 2 else None
        axes.plot(*zip(*points, strict=True), label=key.removeprefix(prefix), marker=marker)
    axes.legend()
    axes.grid(axis="y", alpha=0.3)
