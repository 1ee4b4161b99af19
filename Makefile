# make run       opens the dashboard                make check         format, lint, types
# make test      runs the tests                     make requirements  compiles the lists of exact versions
# make test-all  runs the slow and rare ones too    ARGS="tests/video -k scan" runs a part
# make demo-train  draws a data set of faces and trains a small network on it, a minute on a CPU
# Each builds .venv when it is missing or out of date. PYTHON=... chooses the interpreter (3.11 or 3.12).

.PHONY: run test test-all demo-train check format requirements clean
.DELETE_ON_ERROR:
PYTHON ?= $(shell for p in python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet
export PYTHONPATH := $(CURDIR)

run: $(VENV)/run.stamp
	$(BIN)/streamlit run dashboard/app.py

# The workbench's workers give way to its pages (nice 10); beside busy tests they would starve, so all are as patient.
PYTEST = nice -n 19 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder --durations 40

test: $(VENV)/test.stamp
	$(PYTEST) -m "not nightly" $(ARGS)

test-all: $(VENV)/test.stamp
	$(PYTEST) $(ARGS)

DEMO_FACES ?= 300
FER_HOME ?= $(HOME)/.fer-workbench
export FER_HOME
demo-train: $(VENV)/run.stamp
	rm -rf $(FER_HOME)/demo
	$(BIN)/python -m training.drawn folders $(FER_HOME)/demo/drawn --per-class $(DEMO_FACES)
	FER_RUNS=$(FER_HOME)/demo/runs $(BIN)/python -m training.train demo --fresh --replace $(DEMO_OPTIONS) \
		--data $(FER_HOME)/demo/drawn
	@echo "The checkpoint demo is on the dashboard's page Models (make run)."

check: $(VENV)/test.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/oxlint -c dashboard/components/.oxlintrc.json --deny-warnings dashboard/components

format: $(VENV)/test.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

requirements: $(VENV)/test.stamp
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) pyproject.toml --group dev --extra identity --extra pretrained -o tests/requirements.txt
	$(COMPILE) requirements.txt --no-deps --generate-hashes -o requirements.lock  # the same versions

clean:
	rm -rf $(VENV)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed and was not found; pass PYTHON=/path/to/python3.12."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip  # an environment made by other tools
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r $<
	touch $@

$(VENV)/test.stamp: tests/requirements.txt | $(VENV)/run.stamp
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --quiet -r $<
	touch $@
