"""Curves of several runs: what is read from their logs, the table, and what the picture shows."""

import json

import numpy as np
from PIL import Image

from image_distill.__main__ import main
from image_distill.compare import read_curve

NAME = "frechet_efficientnet_lite0"


def write_run(folder, values, *, half=2.0, teacher=50.0, name=NAME, torn=False):
    """Two ticks a measurement, ten seconds a tick."""
    folder.mkdir()
    lines = []
    for i, value in enumerate(values):
        lines.append({"kimg": 10.0 * (2 * i + 1), "stage": "x", "seconds": 10.0})
        measured = {name: value, f"{name}_interval": half, f"{name}_teacher": teacher}
        lines.append({"kimg": 20.0 * (i + 1), "stage": "x", "seconds": 10.0} | measured)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "log.jsonl").write_text(text + ('{"kimg": 99, "fre' if torn else ""))
    return folder


def test_the_curve_of_a_log(tmp_path):
    curve = read_curve(write_run(tmp_path / "one", [90.0, 60.0, 70.0], torn=True))
    assert curve.kimg == [20, 40, 60] and curve.seconds == [20, 40, 60]
    assert curve.value == [90, 60, 70] and curve.half == [2, 2, 2]
    assert curve.teacher == 50 and curve.metric == NAME and curve.name == "one"


def test_the_table_and_the_picture(tmp_path, capsys):
    one = write_run(tmp_path / "one", [90.0, 60.0, 70.0])
    two = write_run(tmp_path / "two", [80.0, 45.0], half=0.0)
    out = tmp_path / "curves.png"
    assert main(["compare", str(one), str(two), "--out", str(out)]) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert rows[2] == ["one", "60", "0.02", "70.00 ± 2.00", "60.00 ± 2.00", "40", "1.200"]
    assert rows[3] == ["two", "40", "0.01", "45.00", "45.00", "40", "0.900"]
    # Two panels: the right one is a picture too, and both colours are in each.
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    for half in np.array_split(picture, 2, axis=1):
        for colour in ((31, 119, 180), (255, 127, 14)):
            assert (np.abs(half - colour).sum(2) < 12).sum() > 30, colour


def test_mistakes_are_one_line(tmp_path, capsys):
    one = write_run(tmp_path / "one", [90.0])
    other = write_run(tmp_path / "other", [9.0], name="fid")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "log.jsonl").write_text('{"kimg": 1.0, "seconds": 2.0}\n')
    for runs, message in (
        ([one, other], "measured by fid and by frechet"),
        ([one, tmp_path / "none"], "got no log.jsonl"),
        ([bare], "got no measurement"),
    ):
        assert main(["compare", *map(str, runs), "--out", str(tmp_path / "x.png")]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
    assert not (tmp_path / "x.png").exists()


def test_one_measurement_is_a_curve(tmp_path):
    assert read_curve(write_run(tmp_path / "one", [3.0])).best == 0
