"""The page in a real browser: headless Chromium drives a real server with the tiny teacher.

Needs Debian's `chromium` and the Python package `playwright` (no browser is downloaded).
"""

import io
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from served import Served
from tiny import TINY

from uni3d.run.presets import PRESETS, STEPS, VIEWS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (apt-get install chromium)"),
]
pytest.importorskip("gradio", reason="the extra `app` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright (pip install it)")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MINUTES = 60_000.0  # milliseconds
COLLECT_LIVE_PICTURES = """() => {
    window.livePictures = new Set();
    setInterval(() => {
        const src = document.querySelector('#live img')?.src;
        if (src) livePictures.add(src);
    }, 50);
}"""
HTML = "<img src onerror=q()> corgi"  # run, it would raise in the page: q is nobody's


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def options(tiny_folder, tmp_path_factory):
    """Options of a server whose runs take seconds: the tiny teacher and its small scene."""
    own = {k: v for k, v in TINY.items() if k not in ("steps", "views", "checkpoint_every")}
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml.safe_dump(own))
    return ("--teacher", str(tiny_folder), "--config", str(path), "--picture-seconds", "1")


@pytest.fixture(scope="module")
def served(options, tmp_path_factory):
    with Served(tmp_path_factory.mktemp("page") / "outputs", *options) as server:
        yield server


class Tab:
    """A tab with its own storage, which remembers every address that it asked for."""

    def __init__(self, browser, served, path=""):
        self.context = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(2 * MINUTES)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(served.address + path)
        self.page.wait_for_selector("#prompt textarea")

    def start(self, prompt, steps, method=""):
        page = self.page
        page.fill("#prompt textarea", prompt)
        if method:
            self.choose("method", method)
        if not page.locator("#teacher input").is_visible():
            page.click("#advanced > button")
        self.choose("teacher", "tiny")
        page.fill("#steps input[type=number]", str(steps))
        page.keyboard.press("Tab")
        page.click("#make")
        page.wait_for_function("new URL(location).searchParams.get('run')")
        return self.run_id

    def choose(self, box, name):
        self.page.click(f"#{box} input")
        self.page.get_by_role("option", name=name, exact=True).click()

    @property
    def run_id(self):
        return self.page.evaluate("new URL(location).searchParams.get('run')")

    def wait(self, text, minutes=4.0):
        """Until the head of the run says so."""
        self.page.wait_for_function(
            "text => document.querySelector('#status')?.innerText.includes(text)",
            arg=text,
            timeout=minutes * MINUTES,
        )


@pytest.fixture
def tab(browser, served):
    opened = []

    def open_tab(server=served, path=""):
        opened.append(Tab(browser, server, path))
        return opened[-1]

    yield open_tab
    for one in opened:
        one.context.close()


def _pixels(locator) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"), dtype=int)


def _viewer_shows_something(tab, name):
    """The canvas is drawn on: many colours, and its middle is not its corner."""
    canvas = tab.page.locator(f"#{name}-model canvas")
    canvas.wait_for()
    for _ in range(60):
        pixels = _pixels(canvas)
        middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2]
        if np.abs(middle - pixels[-20, 20]).max() > 20:
            break
        tab.page.wait_for_timeout(1000)
    assert np.abs(middle - pixels[-20, 20]).max() > 20
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 30


def test_a_run_from_the_prompt_to_the_downloaded_mesh(tab, served, tmp_path):
    import trimesh

    one = tab()
    # Enough steps for several pictures on any machine: the page looks every 0.75 seconds.
    run_id = one.start(HTML, 200)
    one.page.evaluate(COLLECT_LIVE_PICTURES)
    one.wait("Done")
    assert one.page.evaluate("livePictures.size") >= 2
    assert HTML in one.page.inner_text("#status")
    assert one.page.title() == "uni3d"
    assert one.page.locator("#status img").count() == 0
    assert one.page.locator("#charts svg").count() == 2
    assert "faces" in one.page.inner_text("#made-report")
    _viewer_shows_something(one, "made")
    with one.page.expect_download() as waiting:
        one.page.locator(".get-glb >> visible=true").click()
    path = tmp_path / "mesh.glb"
    waiting.value.save_as(path)
    mesh = trimesh.load(path, force="mesh")
    report = served.store.report(run_id)
    assert len(mesh.faces) == report["mesh"]["faces"] > 50
    # The page needs no other machine: all it asked for came from this one.
    places = {url.split("/")[2] for url in one.asked if not url.startswith(("data:", "blob:"))}
    assert places == {f"127.0.0.1:{served.port}"}
    assert one.errors == []


def test_an_unknown_subject_is_said_and_a_tick_goes_on(browser, tmp_path):
    with Served(tmp_path / "outputs", idle=True) as served:
        page = Tab(browser, served).page
        page.fill("#prompt textarea", "a zorblax")
        page.wait_for_function(
            "document.querySelector('#reading')?.innerText.includes('is not known')"
        )
        page.click("#make")
        page.get_by_text("use one of these").wait_for()
        assert not served.store.runs()
        page.click("#advanced > button")
        page.check("#anyway input")
        page.click("#make")
        page.wait_for_function("new URL(location).searchParams.get('run')")
        (run,) = served.store.runs()
        assert served.store.config(run.run_id)["prompt"] == "a zorblax"
        page.context.close()


@pytest.mark.parametrize("preset", ["draft", "default", "high"])
def test_a_quick_click_with_advanced_closed_starts_what_was_chosen(browser, tmp_path, preset):
    """A stranger's first run: a sentence, a preset, the button, as fast as a browser goes."""
    with Served(tmp_path / "outputs", idle=True) as served:
        page = Tab(browser, served).page
        page.fill("#prompt textarea", "a red chair")
        page.click(f"#preset label:has-text('{preset}')")
        page.click("#make")
        page.wait_for_function("new URL(location).searchParams.get('run')")
        (run,) = served.store.runs()
        config = served.store.config(run.run_id)
        page.context.close()
    assert config["prompt"] == "a red chair"
    assert config["prompts"]["negative_prompt"] == ""
    steps = PRESETS[preset].get("steps", STEPS)
    views = PRESETS[preset].get("views", VIEWS)
    assert (config["steps"], config["views"]) == (steps, views)


def test_what_is_wrong_is_said_on_the_page(browser, tmp_path):
    with Served(tmp_path / "outputs", idle=True) as served:
        page = Tab(browser, served).page
        page.fill("#prompt textarea", "   ")
        page.click("#make")
        page.wait_for_selector(".toast-body")
        said = page.inner_text(".toast-body")
        page.context.close()
        assert 'wanted a sentence such as "a corgi astronaut"' in said
        assert "Traceback" not in served.log.read_text()
        assert not served.store.runs()


def test_cancel_stops_soon_and_keeps_the_mesh(tab, served):
    one = tab()
    run_id = one.start("a corgi", 3000, method="sds")
    one.page.locator("#live img").wait_for(timeout=4 * MINUTES)
    before = served.store.state(run_id).step
    one.page.click("#cancel")
    one.wait("Cancelled")
    state = served.store.state(run_id)
    assert before <= state.step < 3000
    assert (served.store.root / run_id / "mesh.glb").is_file()
    assert not one.page.locator("#cancel").is_visible()


def test_a_refreshed_tab_and_a_new_one_find_the_run(tab, served):
    one = tab()
    run_id = one.start("a red chair", 3000, method="sds")
    one.wait("Running")
    one.page.reload()
    one.wait("a red chair")
    assert one.run_id == run_id
    # Closed, and come back to by the plain address in the same browser.
    again = one.context.new_page()
    one.page.close()
    again.goto(served.address)
    one.page = again
    one.wait("a red chair")
    assert one.run_id == run_id
    one.page.click("#cancel")
    one.wait("Cancelled")


def test_two_tabs_at_once_and_the_place_in_the_queue(tab, served):
    left, right = tab(), tab()
    first = left.start("a blue car", 3000, method="sds")
    left.wait("Running")
    second = right.start("a cat", 4, method="sds")
    right.wait("1 before this one")
    assert "a cat" not in left.page.inner_text("#status")
    left.page.click("#cancel")
    left.wait("Cancelled")
    right.wait("Done")
    assert first != second
    states = [served.store.state(run).state for run in (first, second)]
    assert states == ["cancelled", "done"]
    assert [served.store.config(run)["prompt"] for run in (first, second)] == [
        "a blue car",
        "a cat",
    ]


def test_gallery_reopen_continue_delete_and_compare(tab, served):
    finished = [r for r in served.store.runs() if r.state.state in ("done", "cancelled")]
    if len(finished) < 2:
        pytest.skip("needs the runs of the tests before it")
    one = tab()
    page = one.page
    page.get_by_role("tab", name="Compare").click()
    for box, place in (("left", 0), ("right", -1)):
        page.click(f"#{box} input")
        page.get_by_role("option").nth(place).click()
    page.locator("#comparison table").wait_for()
    _viewer_shows_something(one, "compare-left")
    _viewer_shows_something(one, "compare-right")

    page.get_by_role("tab", name="Gallery").click()
    page.locator("#runs .thumbnail-item").first.click()
    page.wait_for_function(
        "text => document.querySelector('#chosen')?.innerText.includes(text)",
        arg=finished[0].prompt,
    )
    _viewer_shows_something(one, "kept")
    page.click("#delete")
    page.click("#keep")
    assert (served.store.root / finished[0].run_id).is_dir()
    page.fill("#more input", "3")
    page.keyboard.press("Tab")
    page.click("#proceed")
    page.wait_for_url(f"**run={finished[0].run_id}")
    page.wait_for_selector("#prompt textarea")
    one.wait("Done")
    assert served.store.state(finished[0].run_id).step == finished[0].state.steps + 3

    page.get_by_role("tab", name="Gallery").click()
    page.locator("#runs .thumbnail-item").first.click()
    page.click("#delete")
    page.click("#really")
    page.locator("#really").wait_for(state="hidden")
    assert not (served.store.root / finished[0].run_id).exists()


def test_a_killed_server_leaves_a_run_that_goes_on(tab, options, tmp_path):
    outputs = tmp_path / "outputs"
    with Served(outputs, *options) as first:
        run_id = tab(first).start("a corgi", 60, method="sds")
        for _ in range(2000):
            if first.store.state(run_id).step > 20:
                break
            time.sleep(0.1)
        first.kill()
    assert first.store.state(run_id).state == "running"
    with Served(outputs, *options) as second:
        one = tab(second, f"?run={run_id}")
        one.wait("Interrupted")
        one.page.get_by_role("tab", name="Gallery").click()
        one.page.locator("#runs .thumbnail-item").first.click()
        one.page.fill("#more input", "0")
        one.page.keyboard.press("Tab")
        one.page.click("#proceed")
        one.wait("Done")
        assert second.store.state(run_id).step == 60
        steps = [step for step, _ in second.store.metrics(run_id)["opacity"]]
        assert steps == list(range(1, 61))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window_or_overlaps(browser, served, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    try:
        runs = [r for r in served.store.runs() if r.state.state == "done"]
        page.goto(served.address + (f"?run={runs[0].run_id}" if runs else ""))
        page.wait_for_selector("#prompt textarea")
        page.wait_for_timeout(5000)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.evaluate(
            "[...document.querySelectorAll('#prompt, #preset, #method, #divergence, #seed, #dice, "
            "#advanced, #make, #status, #live, #charts, #made-model, #made-report')]"
            ".map(e => [e.id, e.getBoundingClientRect()]).filter(([, r]) => r.width > 0)"
            ".map(([id, r]) => [id, r.left, r.top, r.right, r.bottom])"
        )
        for i, (a, left, top, right, bottom) in enumerate(boxes):
            for b, left2, top2, right2, bottom2 in boxes[i + 1 :]:
                apart = right <= left2 + 1 or right2 <= left + 1
                assert apart or bottom <= top2 + 1 or bottom2 <= top + 1, (a, b)
    finally:
        context.close()


def test_the_page_is_usable_within_its_time(browser, options, tmp_path):
    """Seconds from the start of the process until the prompt can be typed into.

    The bar is 8 s on two free cores; shared ones get three times that.
    """
    began = time.monotonic()
    with Served(Path(tmp_path) / "outputs", *options) as served:
        one = Tab(browser, served)
        one.page.fill("#prompt textarea", "a corgi")
        seconds = time.monotonic() - began
        one.context.close()
    assert seconds < 24, f"{seconds:.1f} s, of which the server {served.seconds:.1f} s"
