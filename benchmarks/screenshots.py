"""The pictures of the page in docs/: `python benchmarks/screenshots.py OUTPUTS [-o docs]`.

OUTPUTS is a folder with two finished runs or more; the newest is the one shown. Needs Debian's
`chromium` and the Python package `playwright`.
"""

import argparse
import io
import shutil
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
)
LOOKS = {
    "page": ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")),
    "gallery": ((1280, "light"), (390, "dark")),
    "compare": ((1280, "light"), (390, "dark")),
}
HEIGHT = {1280: 2000, 390: 3000}  # all of the page: what is out of sight is not drawn
SETTLE = 12_000  # milliseconds in which the viewers draw their meshes


def _show(page, address: str, run_id: str, what: str) -> None:
    page.goto(f"{address}?run={run_id}" if what == "page" else address)
    page.wait_for_selector("#prompt textarea")
    if what == "page":  # the notice that the engine loads is gone the second time
        page.wait_for_timeout(SETTLE)
        page.reload()
    if what == "gallery":
        page.get_by_role("tab", name="Gallery").click()
        page.locator("#runs .thumbnail-item").first.click()
    if what == "compare":
        page.get_by_role("tab", name="Compare").click()
        for box, place in (("left", 0), ("right", 1)):
            page.click(f"#{box} input")
            page.get_by_role("option").nth(place).click()
    page.wait_for_timeout(SETTLE)
    # On a busy machine a viewer may miss its first frame; it draws again when its size changes.
    size = page.viewport_size
    page.set_viewport_size({"width": size["width"] + 20, "height": size["height"]})
    page.wait_for_timeout(SETTLE // 4)
    page.set_viewport_size(size)
    page.wait_for_timeout(SETTLE // 2)


def main() -> None:
    from PIL import Image
    from playwright.sync_api import sync_playwright
    from served import Served

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("docs"))
    args = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("screenshots: there is no chromium here; do: apt-get install chromium")
    with Served(args.outputs.resolve()) as served, sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=list(FLAGS))
        done = [run.run_id for run in served.store.runs() if run.state.state == "done"]
        if len(done) < 2:
            sys.exit(f"screenshots: {args.outputs} has {len(done)} finished runs; wanted two")
        for what, looks in LOOKS.items():
            for width, scheme in looks:
                context = browser.new_context(
                    viewport={"width": width, "height": HEIGHT[width]}, color_scheme=scheme
                )
                page = context.new_page()
                page.set_default_timeout(120_000)
                _show(page, served.address, done[0], what)
                shot = Image.open(io.BytesIO(page.screenshot(full_page=True)))
                path = args.out / f"{what}-{width}-{scheme}.png"
                shot.convert("RGB").quantize(128).save(path, optimize=True)
                sys.stdout.write(f"{path}\n")
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
