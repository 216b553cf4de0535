"""The debugger in a browser on this machine: textual-serve, behind a guard, for it checks nothing by itself.

A page of somebody else that the browser has open can send requests to this machine, and a WebSocket is not held back by the browser. So
every request must carry the token of this run, name this very address as its host, and come from a page of ours.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from textual_serve.server import Server

from engine.errors import InputError

HOST = "127.0.0.1"
COOKIE = "rnn-tui-token"
SESSIONS = 2
"""Browsers' windows at a time: each is a process."""

FOCUS = """<script>
new MutationObserver((_, observer) => {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys) { keys.focus(); observer.disconnect(); }
}).observe(document.body, {childList: true, subtree: true});
</script>
</body>"""
"""The page takes keys from the beginning, not only after a click."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GuardedServer(Server):
    """Serves one command to whoever has the token, on this machine."""

    def __init__(self, command: str, port: int, token: str | None = None) -> None:
        super().__init__(command, HOST, port, title="rnn-tui")
        self.token = token or secrets.token_urlsafe(24)
        self._open = 0

    @property
    def address(self) -> str:
        """What is opened in the browser."""
        return f"{self.public_url}/?token={self.token}"

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guarded)
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Says where it is."""
        self.console.print(
            f"rnn-tui: open {self.address}\nCtrl+C ends it", highlight=False, soft_wrap=True, markup=False
        )

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuses what is not from a page of ours; the first page takes the token out of the address, into a cookie."""
        ours = {f"{host}:{self.port}" for host in (HOST, "localhost")}
        if request.headers.get("Host") not in ours:
            raise web.HTTPForbidden(text="rnn-tui answers only at its own address on this machine")
        origin = request.headers.get("Origin")
        is_socket = request.path == "/ws"
        if (origin is not None or is_socket) and origin not in {f"http://{host}" for host in ours}:
            raise web.HTTPForbidden(text="rnn-tui answers only to its own page")
        given = request.query.get("token")
        if not secrets.compare_digest((given or request.cookies.get(COOKIE, "")).encode(), self.token.encode()):
            raise web.HTTPForbidden(
                text="the token is missing or wrong; open the address that rnn-tui serve has printed"
            )
        if given is not None and request.path == "/":
            found = web.HTTPSeeOther("/")
            found.set_cookie(COOKIE, self.token, httponly=True, samesite="Strict")
            raise found
        response = await (self._counted(request, handler) if is_socket else handler(request))
        if not response.prepared:
            sockets = " ".join(f"ws://{host}" for host in sorted(ours))
            response.headers["X-Frame-Options"] = "DENY"
            response.headers["Referrer-Policy"] = "no-referrer"
            # Textual's page asks another machine for a font.
            response.headers["Content-Security-Policy"] = (
                f"default-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' {sockets}"
            )
        if request.path == "/" and isinstance(response, web.Response) and response.text is not None:
            response.text = response.text.replace("</body>", FOCUS)
        return response

    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """One session more, if there is room for it."""
        if self._open >= SESSIONS:
            raise web.HTTPServiceUnavailable(text=f"{SESSIONS} windows are open already; close one")
        self._open += 1
        try:
            return await handler(request)
        finally:
            self._open -= 1


def free_port(wanted: int | None) -> int:
    """The port that was asked for, or a free one; InputError where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted or 0))
        except (OSError, OverflowError):
            raise InputError(f"port {wanted} is taken or not allowed; leave --port away for a free one") from None
        return int(probe.getsockname()[1])
