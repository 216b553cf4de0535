"""The debugger in a browser: who may not, and that what may gets its screen: by a client that sends what a browser would, and by one."""

from __future__ import annotations

import asyncio
import gc
import shlex
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.errors import InputError

pytest.importorskip("textual_serve")
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError, web

from rnn_tui.serve import COOKIE, HOST, SESSIONS, GuardedServer, free_port
from tests.browser import CHROMIUM, Page, opened

ROOT = Path(__file__).parents[2]
COMMAND = shlex.join([sys.executable, "-m", "rnn_tui", "vanishing", "--fresh"])


pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""textual-serve leaves the pipes of an app that has ended to the garbage collector."""


@asynccontextmanager
async def serving(command: str) -> AsyncIterator[tuple[GuardedServer, ClientSession]]:
    server = GuardedServer(command, free_port(None))
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    await web.TCPSite(runner, HOST, server.port).start()
    try:
        async with ClientSession() as client:
            yield server, client
    finally:
        await runner.cleanup()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


async def test_a_missing_token_another_host_and_another_page_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving("false") as (server, client):
        assert server.address in capsys.readouterr().out
        base = f"http://{HOST}:{server.port}"
        right = {"Cookie": f"{COOKIE}={server.token}"}

        async def status(path: str, **headers: str) -> int:
            async with client.get(base + path, headers=headers, allow_redirects=False) as answer:
                return answer.status

        assert await status("/") == 403
        assert await status("/static/js/textual.js") == 403
        assert await status("/?token=guess") == 403
        assert await status("/", **right, Host="evil.example") == 403
        assert await status("/", **right, Origin="http://evil.example") == 403
        assert await status("/", **right) == 200
        assert await status(f"/?token={server.token}") == 303
        for origin, cookie in ((None, right), ("http://evil.example", right), (base, {})):
            headers = {**cookie, **({"Origin": origin} if origin else {})}
            with pytest.raises(WSServerHandshakeError) as refused:
                await client.ws_connect(f"{base}/ws", headers=headers)
            assert refused.value.status == 403, (origin, cookie)
        server._open = SESSIONS
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(f"{base}/ws", headers={**right, "Origin": base})
        assert refused.value.status == 503


async def test_who_has_the_token_steps_through_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    async with serving(COMMAND) as (server, plain):
        client = ClientSession(cookie_jar=CookieJar(unsafe=True))  # as browsers do for an address of numbers
        async with client, client.get(server.address) as page:
            assert page.status == 200
            assert page.headers["X-Frame-Options"] == "DENY"
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
            assert server.token not in await page.text()
        base = f"http://{HOST}:{server.port}"
        cookie = {"Cookie": f"{COOKIE}={server.token}", "Origin": base}
        async with plain.ws_connect(f"{base}/ws?width=100&height=30", headers=cookie) as socket:
            await until(socket, "vanishing", "start")
            await socket.send_json(["stdin", "n"])
            await until(socket, "t = 1")
            await socket.send_json(["stdin", "q"])
            while (await asyncio.wait_for(socket.receive(), 30)).type.name not in ("CLOSE", "CLOSED", "CLOSING"):
                pass
        for _ in range(200):
            await asyncio.sleep(0.02 * bool(server._open))
        assert server._open == 0


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_browser_opens_it_steps_and_repaints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    async with serving(COMMAND) as (server, _), opened(server.address) as page:
        await until_true(page, "document.querySelector('.xterm-screen') !== null")
        first = await page.settled(await page.picture())
        await page.press("ArrowRight", "ArrowRight")
        second = await page.settled(first)
        await page.press("ArrowRight", "ArrowRight")
        third = await page.settled(second)
        await page.press("ArrowLeft", "ArrowLeft")
        assert await page.settled(third) == second, "a step back shows the same picture"
        assert await page.run("location.search") == "", "the token does not stay in the address"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_browser_refuses_other_pages_and_who_has_no_token() -> None:
    async def foreign(_: web.Request) -> web.Response:
        return web.Response(text="another page", content_type="text/html")

    other = web.Application()
    other.router.add_get("/", foreign)
    runner = web.AppRunner(other)
    await runner.setup()
    port = free_port(None)
    await web.TCPSite(runner, HOST, port).start()
    try:
        async with serving("false") as (server, _), opened(server.address) as page:
            await until_true(
                page, f"location.href === 'http://{HOST}:{server.port}/'"
            )  # the browser has the token from here on
            socket = f"""new Promise(done => {{
                const socket = new WebSocket('ws://{HOST}:{server.port}/ws');
                socket.onopen = () => done('open'); socket.onerror = () => done('refused');
            }})"""
            await page.ask("Page.navigate", url=f"http://{HOST}:{port}/")
            await until_true(page, "document.body.innerText === 'another page'")
            assert await page.run(socket) == "refused"
            await page.ask("Network.clearBrowserCookies")
            await page.ask("Page.navigate", url=f"http://{HOST}:{server.port}/")
            await until_true(page, "document.body.innerText.includes('the token is missing or wrong')")
            assert await page.run(socket) == "refused"
    finally:
        await runner.cleanup()


async def until_true(page: Page, script: str) -> None:
    """Wait until a script in the page gives true."""
    for _ in range(300):
        if await page.run(script) is True:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(script)


async def until(socket: object, *wanted: str) -> None:
    """Receive what is painted until every text was seen: a screen may come in several messages."""
    seen = ""
    while not all(text in seen for text in wanted):
        message = await asyncio.wait_for(socket.receive(), 30)  # pyright: ignore[reportAttributeAccessIssue]
        assert message.type.name in ("BINARY", "TEXT"), message
        seen += message.data.decode(errors="replace") if isinstance(message.data, bytes) else message.data


def test_a_port_that_is_taken_is_refused() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(InputError, match="is taken or not allowed"):
            free_port(taken.getsockname()[1])
