"""Curves as inline SVG, drawn with matplotlib where it is installed; their colours are those of the page's style.

No text of the user's gets into a drawing: names stand in the page around it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, TypeAdapter, ValidationError

from ..checked import misfit
from ..errors import UserError
from ..files import CURVE, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = 6
"""Colours the page's style defines, as --series-0 and so on."""
LINES = ("solid", "dashed", "dotted")
# Colours to draw with, which the drawing then gives up for those of the page, light or dark.
_INK, _RULE = "#010101", "#020202"
_SERIES = [f"#0303{number:02x}" for number in range(COLOURS)]
_STYLE = {
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "text.color": _INK,
    "xtick.color": _RULE,
    "xtick.labelcolor": _INK,
    "ytick.color": _RULE,
    "ytick.labelcolor": _INK,
}


class Point(BaseModel):
    """One line of a training log."""

    step: int
    loss: float
    learning_rate: float


def read_curve(path: str | Path) -> list[Point]:
    """The learning curve of a model folder, or of its ``training.json``.

    Raises:
        UserError: if there is none, or it is not a list of steps with loss and learning rate.
    """
    path = Path(path)
    path = path / CURVE if path.is_dir() else path
    try:
        points = TypeAdapter(list[Point]).validate_python(read_json(path))
    except ValidationError as error:
        raise misfit(error, str(path), "a learning curve", "file") from error
    if not points:
        raise UserError(f"{path}: a learning curve without a step")
    return points


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return False
    return True


def series_style(number: int) -> tuple[int, str]:
    """Number of the colour and kind of line; 18 series look different, the first six also without colours' help."""
    return number % COLOURS, LINES[(number + number // COLOURS) % len(LINES)]


def loss_chart(points: Sequence[Point], *, name: str) -> str:
    """Training loss over steps; ``name`` keeps the drawing's ids apart from others on the page."""

    def draw(axes: Axes) -> None:
        marker = "o" if len(points) == 1 else None
        axes.plot([p.step for p in points], [p.loss for p in points], color=_SERIES[0], marker=marker)
        axes.set_xlabel("step")
        axes.set_ylabel("training loss")

    return _svg(draw, width=5.2, name=name)


def layer_chart(series: Sequence[Mapping[int, float]], *, name: str) -> str:
    """AER over layers, one line for each system, in the styles of :func:`series_style`; the lowest point is ringed."""

    def draw(axes: Axes) -> None:
        for number, scores in enumerate(series):
            colour, line = series_style(number)
            axes.plot(list(scores), list(scores.values()), color=_SERIES[colour], linestyle=line, marker="o", ms=3.5)
            best = min(scores, key=scores.__getitem__)
            axes.plot([best], [scores[best]], color=_SERIES[colour], marker="o", ms=9, mfc="none", mew=1.4)
        axes.set_xticks(sorted({layer for scores in series for layer in scores}))
        axes.margins(y=0.1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("layer (0 is the embeddings)")
        axes.set_ylabel("AER")

    return _svg(draw, width=8, name=name)


def _svg(draw: Callable[[Axes], None], *, width: float, name: str) -> str:
    from matplotlib import style
    from matplotlib.figure import Figure

    # "default" shuts out a user's matplotlibrc; a Figure of our own leaves pyplot and its windows alone.
    with style.context(["default", {**_STYLE, "svg.hashsalt": name}]):
        figure = Figure(figsize=(width, 2.9), layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        draw(axes)
        file = io.StringIO()
        no_metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=no_metadata)
    return _for_page(file.getvalue(), name)


def _for_page(svg: str, name: str) -> str:
    """The ``<svg>`` element alone, as wide as its place, in the page's font and colours, with ids of its own."""
    tag, body = svg[svg.index("<svg") :].split(">", 1)
    box = " ".join(re.findall(r'viewBox="[^"]*"', tag))
    body = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font-family: [^;]*; ", "", body)
    colours = {_INK: "currentColor", _RULE: "var(--rule)"}
    colours |= {colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES)}
    for drawn, wanted in colours.items():
        body = body.replace(drawn, wanted)
    return f'<svg {box} aria-hidden="true">{body}'
