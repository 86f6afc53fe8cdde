"""A real server on loopback: what it refuses. Its worker is not started, so runs stay queued."""

import json
import re

import pytest
from served import Served

pytest.importorskip("gradio", reason="the extra `app` is not installed")

HOSTILE_IDS = ["../outputs", "..", "/etc/passwd", "a/../b", "x" * 500, "<script>", 3, None, [], {}]
HTML = "<img src=x onerror=alert(1)><script>alert(2)</script> corgi"


DEFAULTS = ("a corgi", "toybox", "default", "uni-instruct", "", 0, "", 5.0, 0, 0)


def _generate(live, *values):
    """The endpoint with the values that were left out at their defaults, as a client sends it."""
    return live.call("generate", *values, *DEFAULTS[len(values) :])


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    with Served(tmp_path_factory.mktemp("live") / "outputs", idle=True) as served:
        yield served


def _run(live, owner=""):
    from uni3d.run.settings import RunConfig

    run_id = live.store.create(RunConfig(prompt="a corgi"), owner)
    folder = live.store.folder(run_id)
    (folder / "mesh.glb").write_bytes(b"glTF of a test")
    live.store.change(run_id, state="done")
    return run_id, folder


def test_only_loopback_is_bound_and_nothing_is_shared(live):
    with open("/proc/net/tcp") as table:
        listening = [line.split() for line in table][1:]
    port = f"{live.port:04X}"
    assert {row[1] for row in listening if row[1].endswith(f":{port}") and row[3] == "0A"} == {
        f"0100007F:{port}"
    }
    _, _, text = live.ask("GET", "/config")
    assert json.loads(text)["is_colab"] is False
    assert "gradio.live" not in live.log.read_text()


def test_the_page_names_no_other_server(live):
    status, headers, text = live.ask("GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", text)
    assert not [tag for tag in tags if re.search(r"(?:src|href)=[\"'](?:https?:)?//", tag)]
    _, _, css = live.ask("GET", "/theme.css")
    assert not re.search(r"@import|url\(\s*['\"]?(?:https?:)?//", css)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "//etc/passwd",
        "../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x",
        "~/.bashrc",
        "",
        "{run}/config.yaml",
        "{run}/state.json",
        "{run}/%2e%2e/.lock",
        "{run}/mesh.glb%00.png",
        "{run}/mesh.glb/%2e%2e/config.yaml",
        "{run}/..%2f{id}/config.yaml",
        "{root}",
    ],
)
def test_traversal_by_the_file_route(live, name):
    run_id, folder = _run(live)
    path = name.format(run=folder, id=run_id, root=live.store.root)
    for route in (
        "/gradio_api/file=",
        "/gradio_api/file/",
        "/file=",
        "/file/",
        "/static/",
        "/assets/",
        "/svelte/",
    ):
        status, _, text = live.ask("GET", route + path)
        assert status in (301, 302, 307, 400, 403, 404, 405, 500), (route, status)
        assert "root:" not in text
        assert "prompt: a corgi" not in text


def test_the_mesh_of_a_run_does_go_out(live):
    _, folder = _run(live)
    status, _, text = live.ask("GET", f"/gradio_api/file={folder}/mesh.glb")
    assert (status, text) == (200, "glTF of a test")


def test_a_foreign_host_an_upload_and_a_huge_body(live):
    assert live.ask("GET", "/", host="evil.example")[0] == 421
    assert live.ask("POST", "/gradio_api/upload", b"x", content_type="text/plain")[0] == 404
    body = json.dumps({"data": ["x" * 300_000]})
    assert live.ask("POST", "/gradio_api/call/generate", body)[0] == 413
    assert live.ask("GET", "/")[0] == 200


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (("",), "prompt: got a text of 0 characters; wanted a sentence"),
        ((3,), "prompt: got 3; wanted a text of at most 1000"),
        (({"a": 1},), "prompt: got a dict"),
        (("x" * 1001,), "prompt: got a text of 1001 characters"),
        (("a corgi", "/etc"), "teacher: got a text of 4 characters; wanted one of toybox"),
        (("a corgi", "toybox", "ultra"), "preset:"),
        (("a corgi", "toybox", "draft", ["sds"]), "method: got a list"),
        (("a corgi", "toybox", "draft", "sds", "forward-kl"), "which fixes its own"),
        (("a corgi", "toybox", "draft", "sds", "", "7"), "seed: got a text"),
        (("a corgi", "toybox", "draft", "sds", "", -1), "seed: got -1; wanted a whole number"),
        (("a corgi", "toybox", "draft", "sds", "", 0, None), "negative_prompt: got none"),
        (("a corgi", "toybox", "draft", "sds", "", 0, "", 1e9), "guidance_scale: got 1e+09"),
        (("a corgi", "toybox", "draft", "sds", "", 0, "", 5, True), "steps: got true"),
        (("a corgi", "toybox", "draft", "sds", "", 0, "", 5, 0, 99), "views: got 99"),
    ],
)
def test_wrong_values_by_the_api_are_one_clear_line(live, values, line):
    before = len(live.store.runs())
    kind, said = _generate(live, *values)
    assert kind == "error"
    assert line in said
    assert "\n" not in said
    assert len(live.store.runs()) == before


@pytest.mark.parametrize("endpoint", ["status", "cancel", "proceed", "delete", "download"])
@pytest.mark.parametrize("run_id", HOSTILE_IDS, ids=lambda value: repr(value)[:12])
def test_hostile_ids_by_the_api(live, endpoint, run_id):
    more = {"proceed": (1,), "download": ("mesh.glb",)}.get(endpoint, ())
    kind, said = live.call(endpoint, run_id, *more)
    assert (kind, said) == (
        "error",
        "run: there is no such run here; do: choose one from the gallery",
    )


@pytest.mark.parametrize("name", ["../mesh.glb", "config.yaml", "/etc/passwd", "", 3, None])
def test_only_named_files_by_the_api(live, name):
    run_id, _ = _run(live)
    kind, said = live.call("download", run_id, name)
    assert kind == "error"
    assert "this run has no such file" in said


def test_markup_in_a_prompt_stays_text_and_out_of_paths(live):
    kind, told = _generate(live, f"a corgi, {HTML}")
    assert kind == "complete"
    assert told["prompt"] == f"a corgi, {HTML}"
    assert re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{16}", told["run"])
    live.call("cancel", told["run"])
    kind, told = live.call("status", told["run"])
    assert (kind, told["state"]) == ("complete", "cancelled")


def test_every_handler_of_the_page_survives_hostile_values(live):
    """The page's own events are not in the API, but anyone can post to them by number."""
    run_id, folder = _run(live)
    _, _, text = live.ask("GET", "/config")
    events = json.loads(text)["dependencies"]
    kinds = {part["id"]: part["type"] for part in json.loads(text)["components"]}
    assert "html" in kinds.values()
    assert len(events) > 15
    for hostile in (
        "../../../etc/passwd",
        HTML,
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        1e308,
        None,
        ["x"] * 50,
    ):
        for event in events:
            body = {
                "data": [hostile] * len(event["inputs"]),
                "fn_index": event["id"],
                "session_hash": "test",
            }
            status, _, text = live.ask(
                "POST", "/gradio_api/run/predict", json.dumps(body), content_type="application/json"
            )
            assert "root:" not in text
            if status == 200:
                shown = json.loads(text)["data"]
                for output, value in zip(event["outputs"], shown, strict=False):
                    markup = kinds[output] == "html" and isinstance(value, str)
                    assert not (markup and "<script>" in value), (event["id"], value)
    assert folder.is_dir()
    assert live.ask("GET", "/")[0] == 200
    assert live.call("status", run_id)[0] == "complete"


def test_two_users_do_not_see_each_other(tmp_path):
    accounts = ["--auth", "ann:a1", "--auth", "bob:b2"]
    with Served(tmp_path / "outputs", *accounts, idle=True) as served:
        run_id, folder = _run(served, "ann")
        path = f"/gradio_api/file={folder}/mesh.glb"
        assert served.ask("GET", path)[0] in (401, 403)
        assert served.call("runs")[0] == "status 401"
        assert served.login("ann", "wrong") == ""
        ann, bob = served.login("ann", "a1"), served.login("bob", "b2")
        assert [one["run"] for one in served.call("runs", cookie=ann)[1]] == [run_id]
        assert served.call("runs", cookie=bob) == ("complete", [])
        assert served.call("status", run_id, cookie=bob)[0] == "error"
        assert served.call("delete", run_id, cookie=bob)[0] == "error"
        assert [served.ask("GET", path, cookie=c)[0] for c in (ann, bob)] == [200, 403]
