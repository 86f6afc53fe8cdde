"""What stands before the page: which routes exist, which files go out, how much may come in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from uni3d.errors import CheckpointError
from uni3d.web.runs import SERVABLE, RunStore

__all__ = ["Guard"]

BODY = 256 * 1024  # bytes of a request: nothing here takes a file
API = "/gradio_api/"
# Below /gradio_api/: what the page and gradio_client call. No upload, no proxy, no monitoring.
ROUTES = (
    "app_id",
    "call/",
    "cancel",
    "config",
    "heartbeat/",
    "info",
    "login_check",
    "queue/data",
    "queue/join",
    "reset",
    "run/",
    "api/",
    "startup-events",
    "theme.css",
    "token",
    "user",
)
# Plain routes; anything else of gradio's (monitoring, login pages aside) stays shut.
PAGES = (
    "/",
    "/config",
    "/config/",
    "/favicon.ico",
    "/login",
    "/login/",
    "/logout",
    "/manifest.json",
    "/robots.txt",
    "/theme.css",
)
FOLDERS = ("/assets/", "/static/", "/svelte/")
# The page works without a network, and this makes the browser hold it to that.
POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Guard:
    """ASGI middleware. `hosts`: the names the server answers to (against DNS rebinding), or None.

    `cache` is gradio's private folder of files it is showing; their names cannot be guessed.
    """

    def __init__(
        self,
        app: Any,
        *,
        store: RunStore,
        cache: Path,
        hosts: tuple[str, ...] | None,
        separate: bool = True,
    ) -> None:
        self.app, self.store, self.cache, self.hosts = app, store, cache.resolve(), hosts
        self.separate = separate  # several people, each with their own runs

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self._refusal(scope)
        if refused:
            await _answer(send, *refused)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, with_headers)

    def _refusal(self, scope: Any) -> tuple[int, str] | None:
        """Status and line, or None where the request may pass."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        if self.hosts is not None and _host(headers.get(b"host", b"")) not in self.hosts:
            return 421, "host: this server does not answer to that name"
        if scope["method"] in ("POST", "PUT", "PATCH"):
            length = headers.get(b"content-length", b"")
            if not length.isdigit():
                return 411, "request: wanted a content-length"
            if int(length) > BODY:
                return 413, f"request: got {int(length)} bytes; wanted at most {BODY}"
        path = scope["path"]
        if path.startswith(f"{API}file="):
            return self._refused_file(path.removeprefix(f"{API}file="), scope, headers)
        if path.startswith(API):
            known = path.removeprefix(API).startswith(ROUTES)
        else:
            known = path in PAGES or path.startswith(FOLDERS)
        return None if known else (404, "there is nothing here")

    def _refused_file(self, name: str, scope: Any, headers: Any) -> tuple[int, str] | None:
        """Only gradio's own copies, and the meshes and pictures of runs this user may see."""
        refused = 403, "file: it is not one that this page hands out"
        if "\0" in name or "://" in name:
            return refused
        try:
            path = Path(name).resolve()
        except (OSError, RuntimeError, ValueError):
            return refused
        if path.is_relative_to(self.cache):
            return None
        if path.parent.parent != self.store.root or not _servable(path.name):
            return refused
        try:
            self.store.folder(path.parent.name, _user(scope, headers) if self.separate else "")
        except CheckpointError:
            return refused
        return None


def _servable(name: str) -> bool:
    return name in SERVABLE or (name.startswith("progress-") and name.endswith(".png"))


def _host(value: bytes) -> str:
    """The name of a Host header, without its port."""
    text = value.decode("latin-1").lower()
    return text.partition("]")[0] + "]" if text.startswith("[") else text.partition(":")[0]


def _user(scope: Any, headers: Any) -> str:
    """Who is logged in, by gradio's cookie; "" where nobody has to."""
    tokens = getattr(scope.get("app"), "tokens", {})
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = part.strip().partition("=")
        if name.startswith("access-token-") and value in tokens:
            return tokens[value]
    return ""


async def _answer(send: Callable, code: int, line: str) -> None:
    body = line.encode() + b"\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        *HEADERS,
    ]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
