"""The frame of every local page: this machine only, requests of the page only, typed bodies, one style."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import uvicorn
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from caudex.core.errors import CaudexError

HOST = "127.0.0.1"
MAX_BODY = 1 << 16
"""bytes of a request"""
TOKEN_HEADER = "x-caudex-token"
FOLDER = Path(__file__).parent
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
T = TypeVar("T")


class Guard:
    """Lets through what the page of this program asks for: by one of its own two addresses, with GET, or with POST from a page of
    that address that has the token. (A page of another site can send requests here, and can name a host that leads here.)"""

    def __init__(self, app: ASGIApp, port: int, token: str):
        self.app, self.token = app, token
        self.hosts = [f"{host}:{port}" for host in (HOST, "localhost")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_securely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        refusal = self.refusal(scope["method"], Headers(scope=scope))
        try:
            await (refusal or self.app)(scope, receive, send_securely)
        except asyncio.CancelledError:  # by Ctrl-C, while a request was worked on
            await error_response(503, "the program ends.")(scope, receive, send_securely)

    def refusal(self, method: str, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return error_response(403, f"this page is at http://{self.hosts[0]}/ alone, and for this machine alone.")
        if method in ("GET", "HEAD"):
            return None
        if method != "POST":
            return error_response(405, f"{method} does nothing here.")
        if headers.getlist("origin") != [f"http://{hosts[0]}"]:
            return error_response(403, "a change is taken from the page of this program alone.")
        if not secrets.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self.token.encode()):
            return error_response(403, "the program was started anew since the page was opened; load the page again.")
        return None


def create_app(routes: Sequence[BaseRoute], port: int) -> Guard:
    """The pages at these routes, and /static; `render` and `read_json` are for their endpoints. Errors are sentences in JSON."""
    token = secrets.token_urlsafe(32)
    app = Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=FOLDER / "static"))],
        exception_handlers={
            CaudexError: lambda _, error: error_response(400, str(error)),
            HTTPException: lambda _, error: error_response(error.status_code, f"{error.detail}."),
            Exception: lambda _, error: error_response(
                500, f"the program failed ({type(error).__name__}); its terminal says how."
            ),
        },
    )
    app.state.token = token
    app.state.templates = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=select_autoescape(default=True)
    )
    return Guard(app, port, token)


def error_response(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence.encode(errors="backslashreplace").decode()}, status)


def render(request: Request, template: str, **values) -> HTMLResponse:
    """A page, with what it needs to send changes."""
    state = request.app.state
    return HTMLResponse(state.templates.get_template(template).render(token=state.token, **values))


async def read_json(request: Request, kind: type[T]) -> T:
    """The body of a request; HTTPException, in a sentence, where it is too large or of another kind."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"a request has at most {MAX_BODY:,} bytes")
    try:
        return msgspec.json.decode(bytes(body), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, f"the request is not as the page sends it: {error}") from None


def listen(port: int) -> socket.socket:
    """A socket of this machine alone. CaudexError where the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise CaudexError(f"port {port} cannot be had ({error.strerror}); give another: --port {port + 1}.") from None
    return listener


def serve(app: ASGIApp, listener: socket.socket, open_browser: bool = False) -> None:
    """Prints the address and serves until Ctrl-C."""
    address = f"http://{HOST}:{listener.getsockname()[1]}/"
    print(address, flush=True)
    if open_browser:  # one for the terminal would not come back
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    config = uvicorn.Config(
        app,
        access_log=False,
        h11_max_incomplete_event_size=1 << 14,
        http="h11",
        lifespan="off",
        limit_concurrency=64,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    # Ctrl-C may end a request that takes long, as a search does: that is no error
    logging.getLogger("uvicorn.error").addFilter(lambda record: not record.getMessage().startswith("Cancel "))
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises it again once all is closed
        pass
    finally:
        listener.close()
