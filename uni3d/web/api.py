"""The HTTP API: plain functions of plain data, documented on the page and used by gradio_client.

from gradio_client import Client
client = Client("http://127.0.0.1:7860")
run = client.predict("a corgi astronaut", preset="draft", api_name="/generate")["run"]
while client.predict(run, api_name="/status")["state"] in ("queued", "running"):
    time.sleep(2)
print(client.predict(run, "mesh.glb", api_name="/download"))  # path of the downloaded file
"""

from collections.abc import Callable
from typing import Any

from uni3d.errors import CheckpointError, Uni3DError
from uni3d.web.site import Site

__all__ = ["add_api"]


def add_api(site: Site) -> None:
    """Add the endpoints to the gr.Blocks that is being built."""
    from gradio.events import api

    for endpoint in (*_of_work(site), *_of_results(site)):
        api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)


def _answered(action: Any, *arguments: Any) -> Any:
    """What the action returns; its error is one line of the reply."""
    import gradio as gr

    try:
        return action(*arguments)
    except Uni3DError as error:
        raise gr.Error(" ".join(str(error).split()), print_exception=False) from error


def _of_work(site: Site) -> tuple[Callable, ...]:
    """The endpoints that begin, stop, continue and remove runs."""
    import gradio as gr

    def generate(
        prompt: str,
        teacher: str = "toybox",
        preset: str = "default",
        method: str = "",
        divergence: str = "",
        seed: int = 0,
        negative_prompt: str = "",
        guidance_scale: float = 5.0,
        steps: int = 0,
        views: int = 0,
        request: gr.Request = None,  # pyright: ignore[reportArgumentType]
    ) -> dict[str, Any]:
        """Queue a run. 0 steps or views, no method: the preset's; no divergence: the method's."""
        values = {
            "prompt": prompt,
            "teacher": teacher,
            "preset": preset,
            "method": method,
            "divergence": divergence,
            "seed": seed,
            "negative_prompt": negative_prompt,
            "guidance_scale": guidance_scale,
            "steps": steps,
            "views": views,
        }
        user = site.user(request)
        return _answered(lambda: site.status(site.start(values, user), user))

    def cancel(run: str, request: gr.Request = None) -> dict[str, Any]:  # pyright: ignore
        """Stop a run within two steps and export what exists; drop it when it waits."""
        _answered(site.cancel, run, site.user(request))
        return _answered(site.status, run, site.user(request))

    def proceed(
        run: str,
        more_steps: int = 0,
        request: gr.Request = None,  # pyright: ignore
    ) -> dict[str, Any]:
        """Continue a run that was stopped, with more steps if asked."""
        _answered(site.proceed, run, more_steps, site.user(request))
        return _answered(site.status, run, site.user(request))

    def delete(run: str, request: gr.Request = None) -> str:  # pyright: ignore
        """Remove a run and all its files."""
        _answered(site.delete, run, site.user(request))
        return "deleted"

    return generate, cancel, proceed, delete


def _of_results(site: Site) -> tuple[Callable, ...]:
    """The endpoints that say what there is, and hand it out."""
    import gradio as gr

    def status(run: str, request: gr.Request = None) -> dict[str, Any]:  # pyright: ignore
        """State, step, seconds to go, position, the names of files, and the report."""
        return _answered(site.status, run, site.user(request))

    def runs(request: gr.Request = None) -> list[dict[str, Any]]:  # pyright: ignore
        """The runs of this machine (of the user who logged in), newest first."""
        return [
            {"run": one.run_id, "prompt": one.prompt, "state": one.state.state}
            for one in site.store.runs(site.user(request))
        ]

    def download(run: str, name: str = "mesh.glb", request: gr.Request = None) -> Any:  # pyright: ignore
        """One file of a run, as `status` names them; the client fetches it."""
        files = _answered(site.store.files, run, site.user(request))
        if not isinstance(name, str) or name not in files:
            error = CheckpointError("name: this run has no such file; do: choose one from status")
            raise gr.Error(str(error), print_exception=False)
        return {"path": str(files[name]), "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    return status, runs, download
