"""`uni3d app`: options, the lock on the outputs folder, the server around the page, its end."""

import argparse
import atexit
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from uni3d import config_io
from uni3d.errors import ConfigError, MissingExtraError

__all__ = ["add_arguments", "serve"]

HEAD_START = 3.0  # seconds in which the first browser has the interpreter's lock to itself
HERE = ("127.0.0.1", "localhost", "::1")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to bind (this machine only)",
    )
    parser.add_argument("--port", type=_port, default=os.environ.get("GRADIO_SERVER_PORT", "7860"))
    parser.add_argument("--outputs", type=Path, default=Path("outputs"), help="folder of all runs")
    parser.add_argument(
        "--auth",
        action="append",
        default=[],
        metavar="USER:PASSWORD",
        help="who may log in; given more than once, each sees their own runs only",
    )
    parser.add_argument("--auth-file", type=Path, help="file with a line USER:PASSWORD for each")
    parser.add_argument("--share", action="store_true", help="a public link through gradio's relay")
    parser.add_argument(
        "--teacher",
        action="append",
        default=[],
        metavar="FOLDER",
        help="offer this teacher too (diffusers layout)",
    )
    parser.add_argument("--config", type=Path, help="YAML of differences, for every run made here")
    parser.add_argument("--open", action="store_true", help="open a browser")
    parser.add_argument(
        "--picture-seconds", type=config_io.number, default=3.0, help="pace of live pictures"
    )


def _port(text: str) -> int:
    if not 1 <= (value := int(text)) <= 65535:
        raise ValueError(text)
    return value


_port.__name__ = "port of 1 to 65535"  # what argparse says was wanted


def _accounts(texts: list[str]) -> list[tuple[str, str]]:
    accounts = []
    for text in texts:
        user, colon, password = text.partition(":")
        if not colon or not user or not password:
            raise ConfigError("--auth: got something else; wanted USER:PASSWORD; do: add a colon")
        accounts.append((user, password))
    return accounts


def _who(args: argparse.Namespace) -> list[tuple[str, str]]:
    """Who may log in. Raises ConfigError where the page would be open to everybody."""
    lines = list(args.auth)
    if args.auth_file is not None:
        try:
            text = args.auth_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"--auth-file {args.auth_file}: cannot be read ({error}); do: check it"
            ) from error
        lines += [line.strip() for line in text.splitlines() if line.strip()]
    accounts = _accounts(lines)
    if not accounts and (args.share or args.host not in HERE):
        raise ConfigError(
            "--share and hosts beyond this machine: got no password, so anybody could start runs; "
            "do: --auth-file FILE with lines USER:PASSWORD (or --auth USER:PASSWORD)"
        )
    return accounts


def _teachers(folders: list[str]) -> dict[str, str]:
    """Names offered on the page, to what the pipeline is told; a client never sends a path."""
    teachers = {}
    for folder in folders:
        if not (Path(folder) / "model_index.json").is_file():
            raise ConfigError(
                f"--teacher {folder}: got no model_index.json there; wanted a folder in diffusers "
                "layout; do: check the path"
            )
        teachers[Path(folder).resolve().name] = str(Path(folder).resolve())
    return {"toybox": "toybox", **teachers}


def _locked(folder: Path) -> Any:
    """A lock that the system lets go of when this process ends, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written ({error.strerror}); do: --outputs FOLDER"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise ConfigError(
            f"{folder}: another uni3d app is using it; do: end that one, or --outputs FOLDER"
        ) from error
    return lock


def _differences(path: Path) -> dict[str, Any]:
    """What --config says, checked before the page is up. ConfigError, with the file's name."""
    from uni3d.run.presets import with_preset
    from uni3d.run.settings import RunConfig  # it brings torch; only who gives a file waits for it

    base = RunConfig.upgraded(config_io.read_yaml(path))
    with config_io.naming(path):
        config_io.load(RunConfig, with_preset("default", base))
    return base


def _site(args: argparse.Namespace, accounts: list[tuple[str, str]]):
    from uni3d.web.runs import RunStore
    from uni3d.web.site import Site
    from uni3d.web.worker import Worker

    base = _differences(args.config) if args.config else {}
    store = RunStore(args.outputs)
    store.mark_interrupted()
    return Site(
        store=store,
        worker=Worker(store, picture_seconds=args.picture_seconds),
        base=base,
        teachers=_teachers(args.teacher),
        separate=len(accounts) > 1,
    )


def _private_cache() -> Path:
    """Gradio's copies of what it shows, out of everyone's sight and gone at the end."""
    cache = Path(tempfile.mkdtemp(prefix="uni3d-page-"))
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(cache)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return cache


def _launch(site: Any, cache: Path, args: argparse.Namespace, accounts: list) -> Any:
    from starlette.middleware import Middleware

    from uni3d.web.guard import Guard
    from uni3d.web.page import build_page
    from uni3d.web.style import CSS, HEAD, theme

    here = args.host in HERE
    hosts = LOOPBACK if here and not args.share else None
    page = build_page(site)
    page.queue(max_size=64)
    try:
        _, local, public = page.launch(
            server_name=args.host,
            server_port=args.port,
            share=args.share,
            quiet=True,
            auth=accounts or None,
            allowed_paths=[str(site.store.root)],
            max_file_size=1,
            app_kwargs={
                "middleware": [
                    Middleware(
                        Guard, store=site.store, cache=cache, hosts=hosts, separate=site.separate
                    )
                ]
            },
            prevent_thread_lock=True,
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            inbrowser=args.open,
            footer_links=["api"],
            theme=theme(),
            css=CSS,
            head=HEAD,
        )
    except OSError as error:
        raise ConfigError(
            f"port {args.port}: cannot be bound ({error}); do: --port NUMBER"
        ) from error
    return page, public or local


def serve(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; an active run then stops after its step, to be resumed."""
    began, accounts = time.monotonic(), _who(args)
    with _locked(args.outputs):
        return _served(args, accounts, began)


def _served(args: argparse.Namespace, accounts: list[tuple[str, str]], began: float) -> int:
    site, cache = _site(args, accounts), _private_cache()
    try:
        import gradio
    except ImportError as error:
        raise MissingExtraError("gradio", "app") from error
    page, address = _launch(site, cache, args, accounts)
    sys.stderr.write(
        f"uni3d: the page is at {address} (after {time.monotonic() - began:.1f} s; gradio "
        f"{gradio.__version__}); the engine is loading; Ctrl-C ends\n"
    )
    if left_out := site.store.left_out():
        sys.stderr.write(f"uni3d: not shown, links or odd names: {', '.join(left_out)}\n")
    ends = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ends.set())
    ends.wait(HEAD_START)
    site.worker.start()
    ends.wait()
    sys.stderr.write("uni3d: ending after the running step\n")
    site.worker.stop()
    page.close(verbose=False)
    return 0
