"""Drives Chromium without a screen, by its own protocol for developer tools over a WebSocket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from served import PATIENCE, Program, environment
from websockets.sync.client import ClientConnection, connect

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection", "--remote-debugging-port=0",
)  # fmt: skip
LISTEN = """
(async () => {
  await window.ears?.close();
  const context = (window.ears = new AudioContext({ sampleRate: 8000 }));
  const code = `registerProcessor("ear", class extends AudioWorkletProcessor {
    process([[sound]]) { if (sound) this.port.postMessage(sound); return true; }
  });`;
  const module = new Blob([code], { type: "text/javascript" });
  await context.audioWorklet.addModule(URL.createObjectURL(module));
  const mono = { channelCount: 1, channelCountMode: "explicit" };
  const ear = new AudioWorkletNode(context, "ear", mono);
  window.heard = [];
  ear.port.onmessage = ({ data }) => window.heard.push(...data);
  ear.connect(context.destination);
  context.createMediaStreamSource(document.getElementById("sound").srcObject).connect(ear);
})()
"""


@contextmanager
def chromium(folder: Path, url: str, microphone: Path) -> Iterator[Page]:
    """One page in a browser of its own. `microphone` is a WAV file that it hears all over again."""
    sound = f"--use-file-for-fake-audio-capture={microphone}"
    command = ("chromium", *FLAGS, sound, f"--user-data-dir={folder}", "about:blank")
    with Program(*command, env=environment(HOME=str(folder))) as program:
        try:
            control = program.err.until("DevTools listening on ").split()[-1]
            with connect(control) as browser:
                browser.send('{"id": 1, "method": "Target.getTargets"}')
                told = json.loads(browser.recv(PATIENCE))["result"]["targetInfos"]
            [target] = [each["targetId"] for each in told if each["type"] == "page"]
            host = control.split("/")[2]
            with connect(f"ws://{host}/devtools/page/{target}", max_size=None) as socket:
                page = Page(socket)
                page.opens(url)
                yield page
        finally:
            program.process.terminate()
            program.ends()


class Page:
    """The page of docs/browsers.md; everything else is done to it by `runs`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0

    def opens(self, url: str) -> None:
        self._asks("Page.enable")
        self._asks("Page.navigate", url=url)
        while self._hears().get("method") != "Page.loadEventFired":
            pass

    def runs(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        how = {"awaitPromise": True, "returnByValue": True}
        result = self._asks("Runtime.evaluate", expression=script, **how)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def _asks(self, method: str, **params: Any) -> Any:
        self._asked += 1
        asked = {"id": self._asked, "method": method, "params": params}
        self._socket.send(json.dumps(asked))
        while (told := self._hears()).get("id") != self._asked:
            pass
        return told["result"]

    def _hears(self) -> Any:
        return json.loads(self._socket.recv(PATIENCE))

    def until(self, condition: str) -> None:
        """Waits until this expression holds."""
        self.runs(
            f"""new Promise((resolve, reject) => {{
              const began = Date.now();
              const look = setInterval(() => {{
                const late = Date.now() - began > {1000 * PATIENCE - 2000};
                if (!late && !({condition})) return;
                clearInterval(look);
                late ? reject(new Error(document.body.innerText)) : resolve();
              }}, 20);
            }})"""
        )

    def fills(self, **fields: str) -> None:
        for name, value in fields.items():
            self.runs(f"document.getElementById('{name}').value = {json.dumps(value)}")

    def clicks(self, name: str) -> None:
        self.runs(f"document.getElementById('{name}').click()")

    def says(self, state: str) -> None:
        """Waits until the page does."""
        self.until(f"document.getElementById('state').textContent === {json.dumps(state)}")

    def listens(self) -> None:
        """From now on, what is heard is kept."""
        self.until("document.getElementById('sound').srcObject !== null")
        self.runs(LISTEN)

    def hears(self, seconds: float) -> bytes:
        """What was heard since then, as soon as it is so long: 16-bit mono at 8 kHz."""
        self.until(f"window.heard.length >= {round(8000 * seconds)}")
        text = self.runs("window.heard.map((each) => Math.round(32767 * each)).join(' ')")
        return b"".join(int(each).to_bytes(2, "little", signed=True) for each in text.split())


@contextmanager
def shown(folder: Path) -> Iterator[str]:
    """The files of a folder on a web server; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
