"""The parts of the page that show one run: its viewer, pictures, words and downloads."""

from pathlib import Path
from typing import Any

from uni3d.web import words
from uni3d.web.runs import ACTIVE, Summary
from uni3d.web.site import Site

__all__ = ["Downloads", "ResultPanel", "shown_mesh", "thumbnail"]

DOWNLOADS = (
    ("glb", "mesh.glb", "GLB"),
    ("obj", "mesh-obj.zip", "OBJ (zip)"),
    ("ply", "mesh.ply", "PLY"),
    ("stl", "mesh.stl", "STL"),
    ("3mf", "mesh.3mf", "3MF"),
    ("usdz", "mesh.usdz", "USDZ"),
)
PICTURED = ("picturing", "done")  # the stages of an export after its mesh is written
MESHES = ("mesh.glb", "mesh.obj", "mesh.ply")  # what the viewer shows, best first


def _path(files: dict[str, Path], *names: str) -> str | None:
    return next((str(files[name]) for name in names if name in files), None)


class Downloads:
    """A button for each format, shown where the file exists."""

    def __init__(self) -> None:
        import gradio as gr

        with gr.Row(elem_classes="u3-downloads"):
            self.buttons = [
                gr.DownloadButton(
                    label,
                    visible=False,
                    size="md",
                    min_width=90,
                    elem_id=f"get-{key}-{id(self)}",
                    elem_classes=f"get-{key}",
                )
                for key, _, label in DOWNLOADS
            ]

    def updates(self, files: dict[str, Path]) -> list[Any]:
        import gradio as gr

        return [
            gr.update(value=_path(files, name), visible=name in files) for _, name, _ in DOWNLOADS
        ]


class ResultPanel:
    """Viewer, turntable, sheet, report and downloads of a finished run, hidden until there is one.

    `outputs` and what `updates` returns are in the same order.
    """

    def __init__(self, name: str, *, height: int = 420, pictures: bool = True) -> None:
        import gradio as gr

        self.pictures = pictures
        # "hidden" and not False: gradio's viewer stays empty when it is mounted with its value.
        with gr.Column(visible="hidden", elem_classes="u3-result") as self.group:
            self.model = gr.Model3D(
                label="Mesh",
                show_label=False,
                height=height,
                clear_color=(0.0, 0.0, 0.0, 0.0),
                interactive=False,
                elem_id=f"{name}-model",
                buttons=[],
            )
            self.report = gr.HTML(elem_id=f"{name}-report")
            self.downloads = Downloads()
            if pictures:
                gr.HTML("<h3 class='u3-heading'>Turntable</h3>")
                self.video = gr.Video(
                    label="Turntable",
                    show_label=False,
                    autoplay=False,
                    loop=True,
                    interactive=False,
                    height=280,
                    elem_id=f"{name}-video",
                    buttons=[],
                )
                gr.HTML("<h3 class='u3-heading'>Colour, normals and opacity from eight sides</h3>")
                self.sheet = gr.Image(
                    label="Sheet",
                    show_label=False,
                    interactive=False,
                    type="filepath",
                    elem_id=f"{name}-sheet",
                    buttons=["fullscreen"],
                )
        media = [self.video, self.sheet] if pictures else []
        self.outputs = [self.group, self.model, self.report, *self.downloads.buttons, *media]

    def mesh(self, found: tuple[Summary, dict[str, Path]] | None) -> Any:
        """The update of the viewer alone."""
        import gradio as gr

        return gr.update(value=shown_mesh(*found) if found else None)

    def updates(
        self,
        site: Site,
        found: tuple[Summary, dict[str, Path]] | None,
        *,
        mesh: bool = True,
        loaded: bool = False,
    ) -> list[Any]:
        """Updates of all `outputs`. Without `mesh` the viewer is left for an event that follows:
        gradio's forgets a mesh that comes while it becomes visible and its code is being loaded.
        loaded: the viewer has this mesh; told its own file again, it would load it again.
        """
        import gradio as gr

        if found is None or shown_mesh(*found) is None:
            empty: list[Any] = [gr.update(value=None)] * (2 if self.pictures else 0)
            return [
                gr.update(visible="hidden"),
                gr.update(value=None),
                "",
                *self.downloads.updates({}),
                *empty,
            ]
        one, files = found
        model = self.mesh(found) if mesh else gr.update(value=None)
        if loaded:
            model = gr.skip()
        whole = one.state.state not in ACTIVE  # else report and pictures are of the mesh before
        report = words.report(one, site.store.report(one.run_id)) if whole else ""
        media = []
        if self.pictures:
            video, sheet = _path(files, "turntable.mp4"), _path(files, "sheet.png")
            video, sheet = (video, sheet) if whole else (None, None)
            media = [
                gr.update(value=video, visible=video is not None),
                gr.update(value=sheet, visible=sheet is not None),
            ]
        return [gr.update(visible=True), model, report, *self.downloads.updates(files), *media]


def shown_mesh(one: Summary, files: dict[str, Path]) -> str | None:
    """The mesh of the run as it stands: while it is being pictured, and after; before that None."""
    written = one.state.state not in ACTIVE or one.state.stage in PICTURED
    return _path(files, *MESHES) if written else None


def thumbnail(files: dict[str, Path]):
    """A square picture for a list: the front of the sheet, else of the live picture, else grey."""
    from PIL import Image

    from uni3d.mesh.pictures import first_of_sheet

    try:
        if "sheet.png" in files:
            with Image.open(files["sheet.png"]) as sheet:
                return first_of_sheet(sheet.convert("RGB")).resize((192, 192))
        if "live.png" in files:
            with Image.open(files["live.png"]) as strip:
                side = strip.height
                return strip.convert("RGB").crop((0, 0, side, side)).resize((192, 192))
    except Exception:  # Pillow raises whatever its parsers happen to raise
        pass
    return Image.new("RGB", (192, 192), (200, 203, 208))
