"""index.html of a batch: from the disk, without a network, sortable."""

import html.parser

import pytest

from uni3d.batch import page
from uni3d.batch.record import Record


class _Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.rows, self.scripts = [], 0, 0

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]
        self.rows += tag == "tr"
        self.scripts += tag == "script"


def test_the_page_needs_no_network_and_escapes_what_people_write(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "ROWS", 2)
    record = Record(tmp_path)
    for k, prompt in enumerate(("a <script>alert(1)</script> cat", "a dog", "a car")):
        facts = {
            "right_views": 7,
            "views": 8,
            ("kinds" if k else "seen"): ["cat"] * 8,
            "files": ["mesh.glb"],
        }
        record.append([{"event": "queued", "name": f"n{k}", "prompt": prompt, "seed": k}])
        record.append([{"event": "done", "name": f"n{k}", "seconds": 2.0, **facts}])
    page.write_page(record, list(record.entries().values()))
    read = [_Reader(), _Reader()]
    for reader, name in zip(read, ("index.html", "index-2.html"), strict=True):
        reader.feed((tmp_path / name).read_text())
    assert [r.rows for r in read] == [3, 2] and [r.scripts for r in read] == [1, 1]
    for link in read[0].links + read[1].links:
        assert "//" not in link and link.split("/")[0] in (
            "n0",
            "n1",
            "n2",
            "index.html",
            "index-2.html",
        )
    assert "n0/mesh.glb" in read[0].links and "n0/thumb.png" in read[0].links


@pytest.mark.slow
def test_the_page_sorts_in_a_browser_from_the_disk(tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    record = Record(tmp_path)
    for k, seconds in enumerate((30.0, 4.0, None, 100.0)):
        told = {} if seconds is None else {"seconds": seconds, "files": []}
        record.append([{"event": "queued", "name": f"n{k}", "prompt": f"toy {k}", "seed": k}])
        record.append([{"event": "done" if told else "failed", "name": f"n{k}", **told}])
    page.write_page(record, list(record.entries().values()))
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        shown = browser.new_page()
        asked: list[str] = []
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto((tmp_path / "index.html").as_uri())

        def order() -> list[str]:
            return shown.locator("tbody tr td:nth-child(2)").all_inner_texts()

        for _ in range(2):
            shown.get_by_role("button", name="seconds").click()
            told = order()
            assert told[-1] == "toy 2"  # without a number: last both ways
            assert [t for t in told if t != "toy 2"] in (
                ["toy 1", "toy 0", "toy 3"],
                ["toy 3", "toy 0", "toy 1"],
            )
        assert told[0] == "toy 3"
        browser.close()
    assert asked and all(url.startswith("file:") for url in asked)
