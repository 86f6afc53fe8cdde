"""Four objects of a sentence side by side, from the instant network, and a button to go on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from uni3d.errors import Uni3DError
from uni3d.web.runs import ACTIVE
from uni3d.web.site import Site

__all__ = ["COUNT", "VariationsRow", "look_at_four", "start_four"]

COUNT = 4


class VariationsRow:
    """The row, hidden until it is asked for. `wire` connects it to the form of the page."""

    def __init__(self, site: Site) -> None:
        import gradio as gr

        self.site = site
        self.runs = gr.State([])
        self.displayed = gr.State("")
        with gr.Row(visible="hidden", elem_id="variations") as self.row:
            self.models, self.buttons = [], []
            for k in range(COUNT):
                with gr.Column(min_width=140):
                    self.models.append(
                        gr.Model3D(
                            label=f"Variation {k + 1}",
                            show_label=False,
                            height=200,
                            clear_color=(0.0, 0.0, 0.0, 0.0),
                            interactive=False,
                            elem_id=f"variation-{k + 1}",
                            buttons=[],
                        )
                    )
                    self.buttons.append(
                        gr.Button("Refine", size="sm", interactive=False, elem_id=f"refine-{k + 1}")
                    )
        self.outputs = [self.row, self.displayed, *self.models, *self.buttons]

    def wire(
        self,
        click: Any,
        form: dict[str, Any],
        names: tuple[str, ...],
        current: Any,
        timer: Any,
        shown: Callable[[Any], Any],
    ) -> None:
        """click: the button that asks for four; `shown(event)` shows the run in `current`."""
        import gradio as gr

        site = self.site

        def ask(request: gr.Request, *values: Any):
            try:
                return start_four(site, dict(zip(names, values, strict=True)), site.user(request))
            except Uni3DError as error:
                raise gr.Error(str(error), title="Not started", print_exception=False) from error

        def look(runs: list[str], displayed: str, request: gr.Request):
            return look_at_four(site, runs, displayed, site.user(request))

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        looking = {
            "fn": look,
            "inputs": [self.runs, self.displayed],
            "outputs": self.outputs,
            **quiet,
        }
        asked = click(
            ask, [form[name] for name in names], self.runs, concurrency_limit=None, **quiet
        )
        asked.success(**looking)
        timer.tick(**looking, queue=False)
        for k, button in enumerate(self.buttons):

            def refine(runs: list[str], request: gr.Request, place: int = k):
                try:
                    site.proceed(runs[place], 0, site.user(request))
                except Uni3DError as error:
                    raise gr.Error(
                        str(error), title="Not started", print_exception=False
                    ) from error
                return runs[place]

            shown(button.click(refine, self.runs, current, concurrency_limit=None, **quiet))


def start_four(site: Site, values: dict[str, Any], user: str) -> list[str]:
    """Queue one run of preset "instant" for each of four seeds; their ids."""
    seed, made = values["seed"], []
    for k in range(COUNT):
        steps = {"preset": "instant", "steps": 0, "views": 0}
        shifted = seed + k if isinstance(seed, int) and not isinstance(seed, bool) else seed
        try:
            made.append(site.start({**values, **steps, "seed": shifted}, user))
        except Uni3DError:  # all four or none
            for run_id in made:
                site.cancel(run_id, user)
            raise
    return made


def look_at_four(site: Site, runs: list[str], displayed: str, user: str) -> list[Any]:
    """Updates of a row's `outputs`: a mesh is shown as soon as its file is there."""
    import gradio as gr

    if not runs:
        return [gr.skip()] * (2 + 2 * COUNT)
    found = [site.find(run, user) for run in runs]
    meshes = [one[1].get("mesh.glb") if one else None for one in found]
    ready = [one is not None and one[0].state.state not in ACTIVE for one in found]
    there = [f"mesh {k}" for k, mesh in enumerate(meshes) if mesh is not None]
    key = f"{runs} {there} {ready}"
    if key == displayed:
        return [gr.skip()] * (2 + 2 * COUNT)
    models = [_shown(mesh, displayed, runs, k) for k, mesh in enumerate(meshes)]
    buttons = [
        gr.update(interactive=now and mesh is not None)
        for now, mesh in zip(ready, meshes, strict=True)
    ]
    return [gr.update(visible=True), key, *models, *buttons]


def _shown(mesh: Path | None, displayed: str, runs: list[str], place: int) -> Any:
    """A viewer that is told its own file again would load it again."""
    import gradio as gr

    before = displayed.startswith(str(runs)) and f"mesh {place}" in displayed
    return gr.skip() if before else gr.update(value=str(mesh) if mesh else None)
