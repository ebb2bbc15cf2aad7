"""``swissxmod app``: a page on this computer until Ctrl-C."""

from __future__ import annotations

import contextlib
import socket
import sys
import webbrowser
from typing import Any

from ..errors import UserError
from ..settings import MINI_ALIGNER, MINI_NER, App

ADDRESS = "127.0.0.1"
_GRACE = 2
"""Seconds that a question has to be answered in after Ctrl-C."""


def serve_app(settings: App) -> dict[str, Any]:
    """Serve the page until Ctrl-C, and say on standard error where it is.

    Args:
        settings: the models and the port.

    Returns:
        the "url" that was served, and how many questions were "answered".

    Raises:
        UserError: if the port cannot be had, a model cannot be loaded, or the extra is missing.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn
    except ImportError as error:
        raise UserError("app: needs an extra: pip install 'swissxmod[app]'") from error
    from .answers import Answers
    from .server import make_app

    # Bound before the models are loaded, so that a port that is taken is told at once.
    with _bound(settings.port) as listener:
        own = MINI_ALIGNER if settings.model == MINI_NER else None
        app = make_app(Answers(settings.model, settings.aligner or own), settings.limit)
        url = f"http://{ADDRESS}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, server_header=False, lifespan="off",
            timeout_graceful_shutdown=_GRACE,
        )  # fmt: skip
        listener.listen()
        sys.stderr.write(f"{url} shows names and word links, Ctrl-C ends it\n")
        sys.stderr.flush()
        if settings.open_browser:
            webbrowser.open(url)
        # Uvicorn sends it on when it has closed everything: the usual end.
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    return {"url": url, "answered": app.state.answered}


def _bound(port: int) -> socket.socket:
    listener = socket.socket()
    try:
        # A page that was just closed leaves its port unusable for a minute without this.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((ADDRESS, port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"port {port}: cannot be had ({error.strerror}); give another --port, or 0 for any that is free"
        ) from error
    return listener
