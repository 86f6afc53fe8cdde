"""What the page says of a run, and that a prompt stays text wherever it is shown."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from uni3d.web import words
from uni3d.web.runs import RunState, Summary

HOSTILE = "<img src=x onerror=alert(1)>\"'&<script>"


def _one(state="done", prompt="a corgi", **more):
    config = {"prompt": prompt, "method": "sds", "seed": 3, "steps": 700}
    return Summary(run_id="r", state=RunState(state=state, **more), config=config)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def _read(html):
    parser = Tags()
    parser.feed(html)
    return parser


@pytest.mark.parametrize("state", list(words.HEADLINES))
def test_a_hostile_prompt_is_plain_text(state):
    one = _one(state, HOSTILE, note=HOSTILE, error=HOSTILE)
    for html in (
        words.status(one, 2),
        words.comparison(one, one, [{}, {}]),
        words.report(
            one,
            {
                "mesh": {"faces": 1, "textured": False, "texture_note": HOSTILE},
                "recogniser": {"wanted": HOSTILE},
            },
        ),
    ):
        read = _read(html)
        assert not {"img", "script"} & {tag for tag, _ in read.tags}
        assert not any(name.startswith("on") for _, attrs in read.tags for name in attrs)
        assert HOSTILE in read.text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, ""),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600, "1 h 00 min"),
        (7322, "2 h 02 min"),
    ],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("one", "ahead", "cancelling", "part"),
    [
        (_one("queued"), 0, False, "Next in the queue"),
        (_one("queued"), 2, False, "Position 3 in the queue: 2 before this one"),
        (
            _one("running", stage="optimising", step=7, steps=20, eta=65.0),
            0,
            False,
            "Optimising the scene: step 7 of 20, about 1 min 05 s to go",
        ),
        (_one("running", stage="meshing", step=20, steps=20), 0, False, "Taking the surface out"),
        (_one("running", step=7, steps=20), 0, True, "Stopping after this step"),
        (_one("interrupted", step=7, steps=20), 0, False, "Stopped at step 7 of 20 when the serv"),
        (_one("done", step=20, steps=20, seconds=61), 0, False, "Step 20 of 20, 1 min 01 s"),
    ],
)
def test_the_line_of_a_state(one, ahead, cancelling, part):
    assert part in _read(words.status(one, ahead, cancelling)).text


def test_the_report_in_words():
    told = {
        "mesh": {"faces": 12345, "watertight": True, "textured": True},
        "steps_done": 700,
        "seconds_export": 12.2,
        "silhouette_iou": 0.934,
        "recogniser": {"wanted": "corgi", "right_views": 5, "views": 8},
    }
    text = _read(words.report(_one(seconds=200.0), told)).text
    assert "12,345 faces and is watertight" in text
    assert "700 steps took 3 min 20 s, the mesh and its pictures 12 s" in text
    assert "covers 93% of" in text
    assert "sees a corgi in 5 of 8 views" in text
    assert "There is no mesh" in words.report(_one(), {})
    begun = {"steps": 700, "instant": {"weights": "a file", "begin": 0.5}}
    half = dataclasses.replace(_one(seconds=200.0), config=begun)
    assert "350 steps took 3 min 20 s" in _read(words.report(half, told)).text


def test_a_curve_runs_from_left_to_right_and_up_with_its_values():
    html = words.curves({"opacity": [(0, 0.0), (50, 1.0), (100, 1.0)]}, 100)
    points = re.search(r"points='([^']+)'", html)[1].split()
    x, y = zip(*(map(float, p.split(",")) for p in points), strict=True)
    assert x == (0.0, 100.0, 200.0)
    # Smoothed by 0.8: 0, 0.2, 0.36 of the range of 50 above the line at 54.
    assert y == pytest.approx((54.0, 44.0, 36.0))
    assert "100%" in html


def test_only_known_curves_with_two_points_are_drawn():
    assert words.curves({"opacity": [(1, 0.5)], "loss": [(1, 1.0), (2, 2.0)]}, 10) == ""
    html = words.curves({"gap": [(1, 2.0), (2, 1.0)], "recogniser": [(1, 0.1), (2, 0.2)]}, 10)
    assert html.count("<svg") == 2


def test_what_is_equal_is_greyed_in_a_comparison():
    left, right = _one(), _one(seconds=5)
    right.config["method"] = "uni-instruct"
    html = words.comparison(left, right, [{"mesh": {"faces": 9, "watertight": True}}, {}])
    rows = {
        re.search(r"row'>(\w[\w ]*)<", row)[1]: "u3-same" in row for row in html.split("<tr")[2:]
    }
    assert rows["Prompt"] is True
    assert rows["Method"] is False
    assert "no mesh" in html
