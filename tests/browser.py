"""A real browser without a window, driven by its own protocol (Chrome DevTools) over a web socket."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60.0


class Page:
    """One page of the browser; replies are taken in order, events in between are dropped."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            answer = json.loads((await asyncio.wait_for(self._socket.receive(), PATIENCE)).data)
            if answer.get("id") == number:
                assert "result" in answer, answer
                return answer["result"]

    async def run(self, script: str) -> Any:
        """What a script in the page gives; a promise is waited for."""
        result = await self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return result["result"].get("value")

    async def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])

    async def settled(self, before: bytes | None = None) -> bytes:
        """The picture once it is another one than `before` and stays."""
        last = await self.picture()
        for _ in range(int(PATIENCE / 0.2)):
            await asyncio.sleep(0.2)
            now = await self.picture()
            if now == last != before:
                return now
            last = now
        raise TimeoutError("the page does not come to rest")

    async def press(self, key: str, code: str, text: str = "") -> None:
        """A key, down and up."""
        number = {"ArrowRight": 39, "ArrowLeft": 37}.get(key) or ord(key.upper())
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        typed = {"text": text} if text else {}
        await self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **about, **typed)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **about)


@asynccontextmanager
async def opened(address: str, width: int = 1000, height: int = 700) -> AsyncIterator[Page]:
    """A browser of its own, showing an address; it ends with the block."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="rnn-tui-browser-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0",
            "--hide-scrollbars", f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank",
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(folder) / "DevToolsActivePort")
            async with ClientSession() as client:
                async with client.get(f"http://127.0.0.1:{port}/json/list") as listed:
                    target = next(each for each in json.loads(await listed.text()) if each["type"] == "page")
                socket = await client.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
                page = Page(socket)
                await page.ask("Emulation.setFocusEmulationEnabled", enabled=True)
                await page.ask("Page.navigate", url=address)
                yield page
        finally:
            process.terminate()
            await process.wait()


async def _port(file: Path) -> int:
    for _ in range(int(PATIENCE / 0.05)):
        await asyncio.sleep(0.05)
        if file.exists() and (found := re.match(r"(\d+)\n", file.read_text())):
            return int(found[1])
    raise TimeoutError("the browser does not start")
