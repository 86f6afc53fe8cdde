"""The guard before the page, asked directly: routes, hosts, bodies, files."""

import asyncio
from types import SimpleNamespace

import pytest

from uni3d.run.settings import RunConfig
from uni3d.web.guard import BODY, Guard
from uni3d.web.runs import RunStore

HOSTS = ("127.0.0.1", "localhost", "[::1]")


@pytest.fixture
def place(tmp_path):
    store = RunStore(tmp_path / "outputs")
    cache = tmp_path / "cache"
    cache.mkdir()
    return store, cache


def ask(place, path, *, method="GET", host="127.0.0.1:7860", tokens=None, hosts=HOSTS, **headers):
    """(status, headers) of a request; the app behind answers 200."""

    async def behind(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"behind"})

    sent = []

    async def send(message):
        sent.append(message)

    store, cache = place
    guard = Guard(behind, store=store, cache=cache, hosts=hosts)
    pairs = {"host": host, **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "app": SimpleNamespace(tokens=tokens or {}),
        "headers": [(k.encode(), v.encode()) for k, v in pairs.items()],
    }
    asyncio.run(guard(scope, None, send))
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/theme.css",
        "/assets/index.js",
        "/static/img/x.svg",
        "/gradio_api/info",
        "/gradio_api/queue/join",
        "/gradio_api/queue/data",
        "/gradio_api/heartbeat/x",
        "/gradio_api/call/generate",
        "/gradio_api/call/generate/abc",
        "/gradio_api/run/predict",
    ],
)
def test_what_the_page_needs_passes_with_a_policy(place, path):
    status, headers = ask(place, path)
    assert status == 200
    assert headers[b"content-security-policy"].startswith(b"default-src 'self'")
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/upload",
        "/gradio_api/proxy=http://x/",
        "/gradio_api/stream/x",
        "/monitoring",
        "/gradio_api/dev/reload",
        "/gradio_api/vibe-edit/",
        "/gradio_api/process_recording",
        "/gradio_api/deep_link",
        "/gradio_api/file/etc/passwd",
        "/docs",
        "/openapi.json",
        "/etc",
        "/gradio_api/component_server",
        "/gradio_api/upload_progress",
        "/../etc/passwd",
    ],
)
def test_other_routes_are_shut(place, path):
    assert ask(place, path)[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:7860", "", "[::2]:1"])
def test_a_foreign_name_is_not_answered(place, host):
    assert ask(place, "/", host=host)[0] == 421
    assert ask(place, "/", host=host, hosts=None)[0] == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:7860"])
def test_own_names(place, host):
    assert ask(place, "/", host=host)[0] == 200


@pytest.mark.parametrize(
    ("length", "status"),
    [
        ({"content_length": str(BODY)}, 200),
        ({"content_length": str(BODY + 1)}, 413),
        ({}, 411),
        ({"content_length": "-1"}, 411),
        ({"content_length": "1e3"}, 411),
    ],
)
def test_bodies(place, length, status):
    assert ask(place, "/gradio_api/queue/join", method="POST", **length)[0] == status


def _run(place, owner=""):
    store, _ = place
    run_id = store.create(RunConfig(prompt="a corgi"), owner)
    for name in ("mesh.glb", "live.png", "progress-00010.png", "report.json"):
        (store.root / run_id / name).write_text("x")
    return store.root / run_id


def test_meshes_and_pictures_go_out_and_texts_do_not(place):
    folder = _run(place)
    for name in ("mesh.glb", "live.png", "progress-00010.png"):
        assert ask(place, f"/gradio_api/file={folder / name}")[0] == 200
    for name in ("config.yaml", "state.json", "report.json", "checkpoint.safetensors", "", "."):
        assert ask(place, f"/gradio_api/file={folder}/{name}")[0] == 403


def test_traversal_by_the_file_route(place, tmp_path):
    folder = _run(place)
    (tmp_path / "mesh.glb").write_text("outside")
    (place[0].root / "mesh.glb").write_text("not of a run")
    (folder / "deep").mkdir()
    (folder / "deep" / "mesh.glb").write_text("deeper")
    (folder / "sheet.png").symlink_to("/etc/passwd")
    for name in (
        "/etc/passwd",
        f"{folder}/../../mesh.glb",
        f"{folder}/../mesh.glb",
        f"{folder}/deep/mesh.glb",
        f"{folder}/mesh.glb/../config.yaml",
        f"{folder}/sheet.png",
        f"{folder}/mesh.glb\0.png",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "../../../../etc/passwd",
        "",
        "~/.bashrc",
        f"{place[0].root}/.lock",
        f"{place[1]}/../mesh.glb",
    ):
        assert ask(place, f"/gradio_api/file={name}")[0] == 403, name


def test_gradios_own_copies_go_out(place):
    copy = place[1] / "0f" / "mesh.glb"
    copy.parent.mkdir()
    copy.write_text("x")
    assert ask(place, f"/gradio_api/file={copy}")[0] == 200


def test_files_of_another_user(place):
    folder = _run(place, "ann")
    tokens = {"a" * 20: "ann", "b" * 20: "bob"}
    for token, status in (("a" * 20, 200), ("b" * 20, 403)):
        cookie = f"x=1; access-token-unsecure-k={token}"
        path = f"/gradio_api/file={folder / 'mesh.glb'}"
        assert ask(place, path, tokens=tokens, cookie=cookie)[0] == status
