"""HTML pages from the templates of the package."""

from __future__ import annotations

import jinja2


def templates(*packages: str) -> jinja2.Environment:
    """The templates beside the modules of packages; what they show is escaped, and nothing is left out in silence."""
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(package, ".") for package in packages]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
