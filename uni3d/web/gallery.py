"""The other two tabs: earlier runs of this machine, and two of them side by side."""

import dataclasses
from typing import Any

from uni3d.errors import Uni3DError
from uni3d.mesh.formats import FORMATS, at_hand
from uni3d.web import words
from uni3d.web.result import ResultPanel, thumbnail
from uni3d.web.runs import ACTIVE
from uni3d.web.site import Site

__all__ = ["compare_tab", "gallery_tab"]

SHOWN = 200  # runs in the gallery, newest first


QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
}


@dataclasses.dataclass(frozen=True)
class _Gallery:
    """The components of the tab that events read or change."""

    listed: Any  # State: the ids of the pictures, in order
    chosen: Any  # State: the id of the open run
    line: Any
    pictures: Any
    refresh: Any
    status: Any
    actions: Any
    parts: dict[str, Any]  # of `actions`, by name
    panel: ResultPanel

    @property
    def opened(self) -> list[Any]:
        """What changes when a run is opened: the outputs for `_opening`."""
        return [self.chosen, self.status, self.actions, self.parts["sure"], *self.panel.outputs]


def gallery_tab(site: Site, tab: Any) -> None:
    """Reopen, export again, continue, delete."""
    gallery = _lay_out()
    listing = _wire_choice(site, gallery, tab)
    _wire_queue(site, gallery)
    _wire_delete(site, gallery, listing)


def _lay_out() -> _Gallery:
    import gradio as gr

    listed = gr.State([])
    chosen = gr.State("")
    line = gr.HTML(words.files_line(0, []))
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            pictures = gr.Gallery(
                label="Earlier runs",
                show_label=False,
                columns=3,
                allow_preview=False,
                interactive=False,
                object_fit="cover",
                height="auto",
                elem_id="runs",
                buttons=[],
            )
            refresh = gr.Button("Look again", size="sm", elem_id="refresh")
        with gr.Column(scale=7, min_width=320):
            status = gr.HTML(elem_id="chosen")
            actions, parts = _actions()
            panel = ResultPanel("kept")
    return _Gallery(listed, chosen, line, pictures, refresh, status, actions, parts, panel)


def _listing(site: Site, user: str) -> tuple[Any, list[str], str]:
    """Updates for the pictures, their ids and the line above them."""
    import gradio as gr

    runs = site.store.runs(user)[:SHOWN]
    items = []
    for one in runs:
        found = site.find(one.run_id, user)
        items.append((thumbnail(found[1] if found else {}), words.caption(one)))
    pictures = gr.update(value=items, selected_index=None)
    return pictures, [one.run_id for one in runs], words.files_line(len(runs), site.left_out())


def _opening(site: Site, gallery: _Gallery, run_id: Any, user: str) -> list[Any]:
    """Updates of `gallery.opened` that show a run, without its mesh; or none, where it is gone."""
    import gradio as gr

    found = site.find(run_id, user) if run_id else None
    hidden = gr.update(visible=False)
    if found is None:
        return ["", "", hidden, hidden, *gallery.panel.updates(site, None)]
    idle = gr.update(visible=found[0].state.state not in ACTIVE)
    status = words.status(found[0], site.worker.position(run_id))
    return [run_id, status, idle, hidden, *gallery.panel.updates(site, found, mesh=False)]


def _wire_choice(site: Site, gallery: _Gallery, tab: Any) -> dict[str, Any]:
    """A click on a picture opens its run. Returns the event that lists the runs anew."""
    import gradio as gr

    def entries(request: gr.Request):
        return _listing(site, site.user(request))

    def mesh(run_id: Any, request: gr.Request):
        return gallery.panel.mesh(site.find(run_id, site.user(request)) if run_id else None)

    def pick(ids: list[str], event: gr.SelectData, request: gr.Request):
        place = event.index if isinstance(event.index, int) else -1
        run_id = ids[place] if 0 <= place < len(ids) else ""
        return _opening(site, gallery, run_id, site.user(request))

    outputs = [gallery.pictures, gallery.listed, gallery.line]
    listing = {"fn": entries, "inputs": None, "outputs": outputs, **QUIET}
    tab.select(**listing)
    gallery.refresh.click(**listing)
    picked = gallery.pictures.select(pick, gallery.listed, gallery.opened, **QUIET)
    picked.then(mesh, gallery.chosen, gallery.panel.model, **QUIET)
    return listing


def _wire_queue(site: Site, gallery: _Gallery) -> None:
    """Export again and continue: both queue the run, which is then watched on the Make tab."""
    import gradio as gr

    def queued(action: Any, *inputs: Any, request: gr.Request) -> None:
        try:
            action(*inputs, site.user(request))
        except Uni3DError as error:
            raise gr.Error(str(error), title="Not done", print_exception=False) from error
        gr.Info("Queued: see its progress on the Make tab.")

    def on_again(run_id: Any, formats: Any, request: gr.Request):
        queued(site.export, run_id, formats, request=request)
        return run_id

    def on_proceed(run_id: Any, more: Any, request: gr.Request):
        queued(site.proceed, run_id, more, request=request)
        return run_id

    parts = gallery.parts
    to_make = f"(run) => {{ {SHOW_ON_MAKE} }}"
    for button, action, extra in (
        (parts["again"], on_again, parts["formats"]),
        (parts["proceed"], on_proceed, parts["more"]),
    ):
        done = button.click(action, [gallery.chosen, extra], parts["sent"], **QUIET)
        done.success(None, parts["sent"], None, js=to_make, **QUIET)


def _wire_delete(site: Site, gallery: _Gallery, listing: dict[str, Any]) -> None:
    """Delete, which asks whether it is meant."""
    import gradio as gr

    def on_delete(run_id: Any, request: gr.Request):
        try:
            site.delete(run_id, site.user(request))
        except Uni3DError as error:
            raise gr.Error(str(error), title="Not deleted", print_exception=False) from error
        return _opening(site, gallery, "", site.user(request))

    parts = gallery.parts
    parts["delete"].click(lambda: gr.update(visible=True), None, parts["sure"], **QUIET)
    parts["keep"].click(lambda: gr.update(visible=False), None, parts["sure"], **QUIET)
    deleted = parts["really"].click(on_delete, gallery.chosen, gallery.opened, **QUIET)
    deleted.success(**listing)


# A run that was queued again is watched where runs are watched.
SHOW_ON_MAKE = """
  const url = new URL(window.location);
  url.searchParams.set("run", run);
  window.location.assign(url);
"""


def _actions():
    """What may be done with an idle run; the row and its parts by name."""
    import gradio as gr

    parts: dict[str, Any] = {}
    with gr.Column(visible=False, elem_classes="u3-actions") as actions:
        with gr.Row(equal_height=True):
            parts["more"] = gr.Number(
                value=100,
                precision=0,
                minimum=0,
                maximum=3000,
                label="More steps",
                min_width=110,
                elem_id="more",
            )
            parts["proceed"] = gr.Button("Continue", min_width=110, elem_id="proceed")
        with gr.Row(equal_height=True):
            parts["formats"] = gr.CheckboxGroup(
                list(at_hand()),
                value=list(FORMATS),
                label="Formats",
                min_width=180,
                elem_id="formats",
            )
            parts["again"] = gr.Button("Export again", min_width=110, elem_id="again")
        parts["delete"] = gr.Button("Delete ...", variant="stop", size="sm", elem_id="delete")
        parts["sent"] = gr.Textbox(visible=False)
        with gr.Group(visible=False) as parts["sure"]:
            gr.HTML("<div class='u3-sure'>Delete this run and all its files for good?</div>")
            with gr.Row():
                parts["really"] = gr.Button("Delete for good", variant="stop", elem_id="really")
                parts["keep"] = gr.Button("Keep it", elem_id="keep")
    return actions, parts


def compare_tab(site: Site, tab: Any) -> None:
    """Two runs side by side, for example two methods on the same seed."""
    import gradio as gr

    with gr.Row():
        left = gr.Dropdown([], label="Left", elem_id="left", min_width=280)
        right = gr.Dropdown([], label="Right", elem_id="right", min_width=280)
    table = gr.HTML(elem_id="comparison")
    with gr.Row(equal_height=False):
        panels = []
        for name in ("left", "right"):
            with gr.Column(min_width=280):
                panels.append(ResultPanel(f"compare-{name}", height=340))

    def choices(request: gr.Request):
        runs = [r for r in site.store.runs(site.user(request)) if r.state.state not in ACTIVE]
        named = [(words.caption(one), one.run_id) for one in runs[:SHOWN]]
        return gr.update(choices=named), gr.update(choices=named)

    def shown(side: int, left: Any, right: Any, request: gr.Request):
        """The table, and the panel of the side that was chosen: the other one is left alone."""
        user = site.user(request)
        found = [site.find(run_id, user) if run_id else None for run_id in (left, right)]
        text = ""
        if found[0] and found[1]:
            reports = [site.store.report(run_id) for run_id in (left, right)]
            text = words.comparison(found[0][0], found[1][0], reports)
        return [text, *panels[side].updates(site, found[side], mesh=False)]

    def meshes(left: Any, right: Any, request: gr.Request):
        user = site.user(request)
        return [
            panel.mesh(site.find(run_id, user) if run_id else None)
            for panel, run_id in zip(panels, (left, right), strict=True)
        ]

    def on_left(left: Any, right: Any, request: gr.Request):
        return shown(0, left, right, request)

    def on_right(left: Any, right: Any, request: gr.Request):
        return shown(1, left, right, request)

    tab.select(choices, None, [left, right], **QUIET)
    for box, shows, panel in ((left, on_left, panels[0]), (right, on_right, panels[1])):
        chosen = box.input(shows, [left, right], [table, *panel.outputs], **QUIET)
        chosen.then(meshes, [left, right], [one.model for one in panels], **QUIET)
