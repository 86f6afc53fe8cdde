"""A page served on loopback by a process of its own, and plain requests to it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

from uni3d.web.runs import RunStore

__all__ = ["Served"]

ROOT = Path(__file__).parents[1]
# Without its worker nothing heavy is loaded, and what is started stays queued.
IDLE = """
import sys
from uni3d.web.worker import Worker
Worker._work = lambda self: self.ready.set()
from uni3d.cli import main
sys.exit(main(sys.argv[1:]))
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """`python app.py` over an outputs folder; `idle`: no worker. Use it as a context."""

    def __init__(self, outputs: Path, *options: str, idle: bool = False) -> None:
        self.port, self.store, self.options = _free_port(), RunStore(outputs), options
        self.command = ["-c", IDLE, "app"] if idle else ["app.py"]
        self.log = outputs.parent / f"server-{self.port}.log"
        self.seconds = 0.0

    def __enter__(self) -> "Served":
        began = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *self.command,
                    "--port",
                    str(self.port),
                    "--outputs",
                    str(self.store.root),
                    *self.options,
                ],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        while "the page is at" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() - began < 120, "the page did not come up in 120 s"
            time.sleep(0.1)
        self.seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, path: str, body=None, **headers: str):
        """(status, headers, text); the path goes out exactly as given."""
        wire = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            wire.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = wire.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode("latin-1")
        finally:
            wire.close()

    def call(self, endpoint: str, *values, cookie: str = ""):
        """What an endpoint of the API answers: ("complete", data) or ("error", line)."""
        headers = {"content_type": "application/json"} | ({"cookie": cookie} if cookie else {})
        body = json.dumps({"data": list(values)})
        status, _, text = self.ask("POST", f"/gradio_api/call/{endpoint}", body, **headers)
        if status != 200:
            return f"status {status}", text
        event = json.loads(text)["event_id"]
        _, _, text = self.ask("GET", f"/gradio_api/call/{endpoint}/{event}", **headers)
        kind = re.search(r"event: (complete|error)", text)[1]
        data = json.loads(re.findall(r"data: (.*)", text)[-1])
        return kind, data[0] if kind == "complete" else (data or {}).get("error")

    def login(self, user: str, password: str) -> str:
        """The cookie of a login, empty when it was refused."""
        body = urllib.parse.urlencode({"username": user, "password": password})
        kind = {"content_type": "application/x-www-form-urlencoded"}
        status, headers, _ = self.ask("POST", "/login", body, **kind)
        return headers.get("set-cookie", "").partition(";")[0] if status == 200 else ""
