# make demo: set everything up and make the corgi astronaut.  make app: the page.
# make test: set up and run the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo app test test-slow check install clean
help:
	@echo "make demo | app | test | test-slow | check | install | clean"

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

install: $(VENV)/installed

demo: install
	$(BIN)/uni3d "a corgi astronaut" --out outputs/demo
	@echo "made outputs/demo/mesh.glb; look at outputs/demo/sheet.png"

app: install
	$(BIN)/uni3d app

test: install
	$(BIN)/python -m pytest -m "not slow"

test-slow: install
	$(BIN)/python -m pytest -m slow

check: install
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache
