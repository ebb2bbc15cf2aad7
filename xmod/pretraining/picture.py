"""The learning curve of a pretraining as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..training import MEAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, DEV = "loss_", f"eval_{MEAN}_"
"""What the keys of a curve begin with: training loss in nats per piece, dev loss in bits per character."""


def write_curve(curve: Sequence[Mapping[str, float]], measured: Mapping[int, Mapping[str, float]], path: Path) -> None:
    """Draw the training loss of each language over the steps, and below it what was measured on dev.

    Does nothing where matplotlib is not installed.

    Args:
        curve: rows with ``step``, "loss_LANGUAGE" and, where it was measured, "eval_bits_LANGUAGE".
        measured: by step, the bits per character of each language of dev, besides those in ``curve``.
        path: of the PNG file.
    """
    try:
        from matplotlib import style
        from matplotlib.figure import Figure
    except ImportError:
        return
    further = [
        {"step": step} | {f"{DEV}{language}": value for language, value in bits.items()}
        for step, bits in measured.items()
    ]
    rows = sorted([*curve, *further], key=lambda row: row["step"])
    panels = {"training loss\n(nats per piece)": TRAINING}
    if any(measured.values()):
        panels["dev loss\n(bits per character)"] = DEV
    languages = sorted({key.removeprefix(prefix) for prefix in panels.values() for row in rows for key in row
                        if key.startswith(prefix)})  # fmt: skip
    with style.context("default"):
        figure = Figure(figsize=(7, 2.8 * len(panels)), layout="constrained")
        all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, prefix) in zip(all_axes, panels.items(), strict=True):
            _draw(axes, rows, prefix, languages)
            axes.set_ylabel(title)
        all_axes[-1].set_xlabel("step")
        all_axes[-1].xaxis.get_major_locator().set_params(integer=True)
        figure.savefig(path, dpi=150)


def _draw(axes: Axes, rows: Sequence[Mapping[str, float]], prefix: str, languages: Sequence[str]) -> None:
    for number, language in enumerate(languages):
        points = [(row["step"], row[prefix + language]) for row in rows if prefix + language in row]
        if points:
            marker = "o" if len(points) < 2 else None
            axes.plot(*zip(*points, strict=True), color=f"C{number % 10}", label=language, marker=marker)
    axes.legend()
    axes.grid(axis="y", alpha=0.3)
