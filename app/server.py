"""The page and what it asks, over HTTP: one computer's own page, and nobody else's.

What listens on 127.0.0.1 is still within reach of every page that is open in the browser. So requests must name this
computer as their host (a name of the attacker's that points here, "DNS rebinding", does not), and what asks must come
from the page itself or from no page at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import UserError
from ..eval.wording import language_name
from ..pages import templates
from .answers import Answers, EntitiesQuestion, LinksQuestion, Question
from .examples import text_examples, translation_examples

HOSTS = ("127.0.0.1", "localhost")
TEMPLATE = "page.html.jinja"
_FILES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_LONGEST_SIGN = 12
"""Bytes of a character in JSON where it is written as two halves ("\\ud83d\\ude00")."""
_FRAME = 1024
"""Bytes of JSON around the texts."""
_Answer = Callable[[Any], dict[str, Any]]


def make_app(answers: Answers, limit: int) -> Starlette:
    """The application: the page, its files, and three addresses that answer in JSON; ``state.answered`` counts answers.

    ``POST /api/entities`` and ``/api/links`` take an :class:`EntitiesQuestion` or :class:`LinksQuestion` and give what
    :class:`Answers` does; ``GET /api/health`` says whether a question is being answered, also meanwhile. What cannot be
    answered is ``{"error": ...}`` with the status 403 (asked by another page), 413 (too long), 415 or 422 (not
    understood).

    Args:
        answers: asked for one question at a time.
        limit: most characters of a question.
    """
    # One thread: questions wait for each other, and torch keeps the threads that it starts for this one.
    worker = ThreadPoolExecutor(max_workers=1)
    asked = 0

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "busy" if asked else "idle"})

    def answering(kind: type[Question], answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            nonlocal asked
            question = await _question(request, kind, limit)
            asked += 1
            try:
                found = await asyncio.get_running_loop().run_in_executor(worker, answer, question)
            except UserError as error:
                raise HTTPException(422, str(error)) from error
            finally:
                asked -= 1
            request.app.state.answered += 1
            return JSONResponse(found)

        return endpoint

    page = _page(answers, limit)
    routes = [
        Route("/", _constant(page, "text/html")),
        *(Route(f"/{name}", _constant(_text(name), kind)) for name, kind in _FILES.items()),
        Route("/api/health", health),
        Route("/api/entities", answering(EntitiesQuestion, answers.entities), methods=["POST"]),
        Route("/api/links", answering(LinksQuestion, answers.links), methods=["POST"]),
    ]
    errors: Mapping[Any, Any] = {HTTPException: _told, ClientDisconnect: _gone, Exception: _failed}
    app = Starlette(routes=routes, middleware=[Middleware(Guard)], exception_handlers=errors)
    app.state.answered = 0
    return app


class Guard:
    """Refuses what this computer's own page would not ask, and says with every answer what the page may do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI asks for it."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = _refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        app = self.app if refusal is None else JSONResponse({"error": refusal}, 403)
        await app(scope, receive, send_with_headers)


def _refusal(headers: Headers) -> str | None:
    """Why a request is not answered."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if host.partition(":")[0] not in HOSTS:
        return f"expected a request to {' or '.join(HOSTS)}, found the host {host[:80]!r}"
    # Browsers name the page that asks with every request that could ask for something.
    if origin is not None and origin != f"http://{host}":
        return f"expected a request of the page at http://{host}, found one of {origin[:80]!r}"
    return None


async def _question(request: Request, kind: type[Question], limit: int) -> Question:
    """What is asked, or an error that says what is wrong with it; never more is read than a question can have."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "expected application/json as Content-Type")
    most = _LONGEST_SIGN * limit + _FRAME
    if int(request.headers.get("content-length", 0)) > most:
        raise _too_long(limit)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise _too_long(limit)
    try:
        question = kind.model_validate(json.loads(body))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "question"
        raise HTTPException(422, f"{place}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, "expected JSON") from error
    if question.size > limit:
        raise _too_long(limit, question.size)
    return question


def _too_long(limit: int, size: int | None = None) -> HTTPException:
    found = "more" if size is None else f"{size:,}"
    return HTTPException(413, f"Too long: at most {limit:,} characters are read at once, here are {found}.")


async def _told(_: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _gone(_: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=400)


async def _failed(_: Request, error: Exception) -> Response:
    # Starlette raises the error again behind this answer, so that it is seen where the server was started.
    return JSONResponse({"error": "The server failed; its terminal says why."}, 500)


def _constant(text: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return Response(text, media_type=kind)

    return endpoint


def _text(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def _page(answers: Answers, limit: int) -> str:
    return (
        templates(__package__)
        .get_template(TEMPLATE)
        .render(
            labels=answers.labels,
            limit=limit,
            languages=_named(answers.tagger.model.languages),
            own_model=answers.uses_own_model,
            linked_languages=_named(answers.encoder.languages),
            texts=text_examples(),
            translations=translation_examples(),
        )
    )


def _named(adapters: tuple[str, ...]) -> dict[str, str]:
    return {key: language_name(key) for key in adapters}
