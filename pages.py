"""HTML pages from the templates of the package."""

from __future__ import annotations

import jinja2


def templates(package: str) -> jinja2.Environment:
    """The templates beside the modules of a package; what they show is escaped, and nothing is left out in silence."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
