"""Reads the mesh files of finished runs back with other programs: a row for each run.

python benchmarks/formats.py RUN... [--size-mm 80]

Of each run folder with mesh.glb, mesh.stl, mesh.3mf and mesh.usdz: longest side and closedness of
the STL (trimesh), longest side (trimesh) and manifold check (lib3mf) of the 3MF, errors and
warnings of the GLB (gltf-validator, if `--validator FOLDER` says where npm put it) and messages
of every validator that usd-core has for the USDZ.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import lib3mf
import pxr.Usd
import pxr.UsdValidation
import trimesh

# Compiled modules whose stubs lack what is used here.
Usd: Any = pxr.Usd
UsdValidation: Any = pxr.UsdValidation

VALIDATE = (
    "const v = require(process.argv[1]), fs = require('fs');"
    "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2])))"
    ".then(r => console.log(`${r.issues.numErrors}/${r.issues.numWarnings}`))"
)


def row(run: Path, validator: Path | None) -> dict[str, object]:
    """What was found in the files of a run."""
    stl: Any = trimesh.load(run / "mesh.stl")
    printed = trimesh.load_scene(run / "mesh.3mf", process=False)
    model: Any = lib3mf.get_wrapper().CreateModel()
    model.QueryReader("3mf").ReadFromFile(str(run / "mesh.3mf"))
    parts: Any = model.GetMeshObjects()
    parts.MoveNext()
    every = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    stage = Usd.Stage.Open(str(run / "mesh.usdz"))
    glb = "-"
    if validator:
        command = ["node", "-e", VALIDATE, str(validator.resolve()), str(run / "mesh.glb")]
        glb = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "prompt": json.loads((run / "report.json").read_text())["prompt"],
        "STL mm": f"{max(stl.extents):.2f}",
        "closed": stl.is_watertight,
        "3MF mm": f"{max(printed.extents):.2f}",
        "manifold": parts.GetCurrentMeshObject().IsManifoldAndOriented(),
        "GLB errors/warnings": glb,
        "USDZ messages": len(UsdValidation.ValidationContext(every).Validate(stage)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--size-mm", type=float, default=80.0)
    parser.add_argument("--validator", type=Path, help=".../node_modules/gltf-validator")
    args = parser.parse_args()
    right = True
    for k, run in enumerate(args.runs):
        found = row(run, args.validator)
        if k == 0:
            print("| " + " | ".join(found) + " |\n|" + "---|" * len(found))
        print("| " + " | ".join(str(value) for value in found.values()) + " |", flush=True)
        for name in ("STL mm", "3MF mm"):
            right &= abs(float(str(found[name])) - args.size_mm) <= 0.1
        right &= found["GLB errors/warnings"] in ("-", "0/0") and found["USDZ messages"] == 0
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
