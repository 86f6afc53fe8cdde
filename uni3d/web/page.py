"""The page: the tab on which a run is made and watched, and how the tabs stand together."""

import json
import secrets
from pathlib import Path
from typing import Any

from uni3d.errors import Uni3DError
from uni3d.instruct.names import DIVERGENCE_NAMES, FREE_METHODS, METHOD_NAMES
from uni3d.run.presets import PRESETS
from uni3d.web import words
from uni3d.web.api import add_api
from uni3d.web.gallery import compare_tab, gallery_tab
from uni3d.web.requests import (
    LIMITS,
    LONGEST,
)
from uni3d.web.result import ResultPanel, shown_mesh
from uni3d.web.runs import ACTIVE
from uni3d.web.site import Site
from uni3d.web.variations import COUNT, VariationsRow

__all__ = ["build_page"]

EXAMPLES = (
    "a corgi astronaut",
    "a red chair",
    "a blue car with stripes",
    "a cat wearing a wizard hat",
    "a green cactus in a pot",
)
DEFAULT_DIVERGENCE = ("default", "")
# Puts the run into the address, so that a refreshed or shared tab finds it again.
REMEMBER = """(run) => {
  const url = new URL(window.location);
  run ? url.searchParams.set("run", run) : url.searchParams.delete("run");
  window.history.replaceState({}, "", url);
}"""
FORM = (
    "prompt",
    "teacher",
    "preset",
    "method",
    "divergence",
    "seed",
    "negative_prompt",
    "guidance_scale",
    "steps",
    "views",
    "anyway",
    "from_scratch",
)


def build_page(site: Site):
    """The gr.Blocks of a site."""
    import gradio as gr

    with gr.Blocks(
        title="uni3d", analytics_enabled=False, delete_cache=(3600, 86400), fill_width=False
    ) as page:
        gr.HTML(
            "<header class='u3-header'><h1>uni3d</h1><p>A sentence to a textured 3D mesh, on this "
            "machine.</p></header>"
        )
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("Make", id="make"):
                current, show = _make_tab(site, page)
            with gr.Tab("Gallery", id="gallery") as gallery:
                gallery_tab(site, gallery)
            with gr.Tab("Compare", id="compare") as compare:
                compare_tab(site, compare)
        add_api(site)
        show(current)
    return page


def _form(site: Site) -> dict[str, Any]:
    """The inputs of a run, by their name in the request."""
    import gradio as gr

    form: dict[str, Any] = {}
    form["prompt"] = gr.Textbox(
        label="What do you want to have?",
        placeholder="a corgi astronaut",
        lines=2,
        max_length=LONGEST,
        autofocus=True,
        elem_id="prompt",
    )
    form["reading"] = gr.HTML("", elem_id="reading")
    gr.Examples(
        [[e] for e in EXAMPLES], inputs=[form["prompt"]], label="Examples", api_visibility="private"
    )
    with gr.Row():
        form["preset"] = gr.Radio(
            [name for name in PRESETS if name != "instant" or site.instant],
            value="default",
            label="Preset",
            info="how long, how fine",
            elem_id="preset",
        )
    with gr.Row():
        form["method"] = gr.Dropdown(
            [("the preset's", ""), *((name, name) for name in METHOD_NAMES)],
            value="",
            label="Method",
            elem_id="method",
            min_width=140,
        )
        form["divergence"] = gr.Dropdown(
            [DEFAULT_DIVERGENCE, *((d, d) for d in DIVERGENCE_NAMES)],
            value="",
            label="Divergence",
            elem_id="divergence",
            min_width=140,
        )
    with gr.Row(equal_height=True, elem_classes="u3-seed"):
        form["seed"] = gr.Number(
            value=0,
            precision=0,
            minimum=LIMITS["seed"][0],
            maximum=LIMITS["seed"][1],
            label="Seed",
            elem_id="seed",
            min_width=120,
        )
        dice = gr.Button("⚄ Roll", size="md", scale=0, min_width=96, elem_id="dice")
    form |= _advanced(site)
    _wire_form(site, form, dice)
    return form


def _advanced(site: Site) -> dict[str, Any]:
    """The inputs in the fold, by their name in the request."""
    import gradio as gr

    first, fields = site.preset("default"), {}
    with gr.Accordion("Advanced", open=False, elem_id="advanced"):
        # Without a value it is sent as null for as long as the fold is closed.
        fields["negative_prompt"] = gr.Textbox(
            value="",
            label="Negative prompt",
            placeholder="what it should not be",
            max_length=LONGEST,
            elem_id="negative",
        )
        fields["teacher"] = gr.Dropdown(
            list(site.teachers), value=next(iter(site.teachers)), label="Teacher", elem_id="teacher"
        )
        fields["guidance_scale"] = gr.Slider(
            *LIMITS["guidance_scale"],
            value=5.0,
            step=0.5,
            label="Guidance scale",
            info="how strongly the teacher insists on the prompt",
            elem_id="guidance",
        )
        fields["steps"] = gr.Slider(
            *LIMITS["steps"], value=first["steps"], step=1, label="Steps", elem_id="steps"
        )
        fields["views"] = gr.Slider(
            *LIMITS["views"], value=first["views"], step=1, label="Views per step", elem_id="views"
        )
        fields["anyway"] = gr.Checkbox(
            value=False,
            label="Go on with a subject that the teacher does not know",
            elem_id="anyway",
        )
        fields["from_scratch"] = gr.Checkbox(
            value=False,
            label="From scratch: without the object of preset instant, slower",
            visible=site.instant,
            elem_id="scratch",
        )
    return fields


def _wire_form(site: Site, form: dict[str, Any], dice: Any) -> None:
    import gradio as gr

    numbers = {name: [*site.preset(name).values()] for name in PRESETS}

    def on_method(name: str):
        free = not name or name in FREE_METHODS
        return gr.update(value="", interactive=free)

    quiet: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    # In the browser: over the network, a quick click on "Make it" would send the old numbers.
    form["preset"].change(
        None,
        form["preset"],
        [form["steps"], form["views"]],
        js=f"(name) => ({json.dumps(numbers)})[name]",
        **quiet,
    )
    form["method"].change(on_method, form["method"], form["divergence"], **quiet)
    dice.click(lambda: secrets.randbelow(2**31), None, form["seed"], **quiet)


def _make_tab(site: Site, page: Any):
    """The tab; returns the component with the run's id and what finishes the wiring."""
    import gradio as gr

    # Kept by the browser: a closed tab comes back to its run, and a restarted server is no loss.
    current = gr.BrowserState("", storage_key="uni3d-run", secret="uni3d")
    timer = gr.Timer(0.75, active=True)
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            form = _form(site)
            make = gr.Button("Make it", variant="primary", size="lg", elem_id="make")
            four = gr.Button(
                f"Show {COUNT} at once", size="lg", elem_id="four", visible=site.instant_varies
            )
        with gr.Column(scale=7, min_width=320):
            watched = _Watched(site)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    ticking = {**quiet, "queue": False}

    def wire(_: Any) -> None:
        looking = watched.event(current) | ticking
        timer.tick(**looking)

        def follow(event: Any) -> None:
            """Once the event has put a run into `current`, that run is shown and remembered."""
            event.success(None, current, None, js=REMEMBER, **quiet).then(**looking)

        typed = [form["prompt"], form["teacher"]]
        form["prompt"].change(
            site.reading, typed, form["reading"], trigger_mode="always_last", **ticking
        )
        start, stop, find_again = _actions(site)
        inputs = [form[name] for name in FORM]
        for trigger in (make.click, form["prompt"].submit):
            follow(trigger(start, inputs, current, concurrency_limit=None, **quiet))
        if watched.variations is not None:
            watched.variations.wire(four.click, form, FORM, current, timer, follow)
        cancel = watched.cancel.click(stop, current, None, concurrency_limit=None, **quiet)
        cancel.then(**looking)
        again = page.load(find_again, current, current, **ticking)
        again.then(None, current, None, js=REMEMBER, **quiet).then(**looking)

    return current, wire


class _Watched:
    """The column that shows the run in `current`: its state, pictures, curves and results."""

    def __init__(self, site: Site) -> None:
        import gradio as gr

        self.site = site
        self.shown = gr.State("")  # the `_key` of what is on the page
        notice = gr.HTML(words.engine(False), elem_id="engine")
        self.variations = VariationsRow(site) if site.instant_varies else None
        status = gr.HTML(words.status(None), elem_id="status")
        self.cancel = gr.Button(
            "Cancel", variant="stop", size="sm", elem_id="cancel", visible=False
        )
        live = gr.Image(
            label="From four sides",
            show_label=False,
            interactive=False,
            visible=False,
            type="filepath",
            elem_id="live",
            buttons=[],
        )
        charts = gr.HTML(elem_id="charts")
        self.panel = ResultPanel("made")
        self.outputs = [notice, status, live, charts, self.cancel, self.shown, *self.panel.outputs]

    def event(self, current: Any) -> dict[str, Any]:
        """The event that shows what changed."""
        import gradio as gr

        def look(run_id: Any, before: str, request: gr.Request):
            return self.updates(run_id, before, self.site.user(request))

        return {"fn": look, "inputs": [current, self.shown], "outputs": self.outputs}

    def updates(self, run_id: Any, before: str, user: str) -> list[Any]:
        """What changed since `before`: nothing at all in most ticks."""
        import gradio as gr

        site, worker = self.site, self.site.worker
        found = site.find(run_id, user) if run_id else None
        key, active = _key(site, found), found is not None and found[0].state.state in ACTIVE
        if key == before:
            return [gr.skip()] * len(self.outputs)
        picture = found[1].get("live.png") if found else None
        mesh, results_key, _ = key.split("|", 2)
        old = [*before.split("|", 2), "", ""]
        loaded = mesh == old[0]
        if loaded and results_key == old[1]:
            results = [gr.skip()] * len(self.panel.outputs)
        else:
            results = self.panel.updates(site, found, loaded=loaded)
        one = found[0] if found else None
        return [
            words.engine(worker.ready.is_set(), worker.broken),
            words.status(
                one,
                worker.position(run_id) if one else 0,
                worker.cancelling(run_id) if one else False,
            ),
            gr.update(value=str(picture) if picture else None, visible=picture is not None),
            words.curves(site.store.metrics(run_id), one.state.steps) if one else "",
            gr.update(visible=active),
            key,
            *results,
        ]


def _actions(site: Site):
    """What the page may ask of a run: begin, cancel, and find the one it had before."""
    import gradio as gr

    def start(request: gr.Request, *values: Any):
        try:
            return site.start(dict(zip(FORM, values, strict=True)), site.user(request))
        except Uni3DError as error:
            raise gr.Error(str(error), title="Not started", print_exception=False) from error

    def stop(run_id: Any, request: gr.Request) -> None:
        try:
            site.cancel(run_id, site.user(request))
        except Uni3DError as error:
            raise gr.Error(str(error), title="Not cancelled", print_exception=False) from error

    def find_again(kept: Any, request: gr.Request):
        """The run in the address, else the one this browser made last."""
        for run_id in (request.query_params.get("run"), kept):
            if run_id and site.find(run_id, site.user(request)):
                return run_id
        return ""

    return start, stop, find_again


def _key(site: Site, found: Any) -> str:
    """Changes when something to show does. Three parts between bars: the mesh in the viewer, the
    results, everything else."""
    ready = site.worker.ready.is_set()
    if found is None:
        return f"none|none|{ready}"
    one, files = found
    state, picture = one.state, files.get("live.png")
    moved = picture.stat().st_mtime_ns if picture and picture.is_file() else 0
    report = site.store.root / one.run_id / "report.json"
    written = report.stat().st_mtime_ns if report.is_file() else 0
    result = f"{state.state in ACTIVE} {0 if state.state in ACTIVE else written}"
    shown = Path(shown_mesh(one, files) or "")
    mesh = shown.stat().st_mtime_ns if shown.is_file() else 0
    details = (
        state.state,
        state.stage,
        state.step,
        state.note,
        state.error,
        moved,
        ready,
        site.worker.position(one.run_id),
        site.worker.cancelling(one.run_id),
    )
    return f"{one.run_id} {mesh}|{result}|{details}"
