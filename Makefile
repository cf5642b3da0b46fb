# Two commands matter: `make book` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help install book pdf zip questions serve run test test-unit test-playground playground-types test-notebooks test-environments test-colab test-site audit lint bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# The environment is made again only when what it depends on has changed.
$(READY): requirements.txt pyproject.toml
	@echo "==> environment: creating $(VENV) and installing requirements.txt (about 2 minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet -r requirements.txt
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

install: $(READY) ## create .venv and install everything

run: $(READY) ## measure: fill the store with every trial of every chapter
	@$(BIN)/python -m residual_lib run

book: $(READY) ## build the site into _build/html
	@$(BIN)/python book/build.py

serve: book ## build the site and open it at http://localhost:8000
	@$(BIN)/python book/serve.py

test: test-unit test-playground test-notebooks test-environments ## everything that a change must pass, but the site's own tests

test-unit: $(READY) ## library: unit tests with coverage
	@echo "==> unit tests"
	@$(BIN)/python -m pytest tests/unit --cov --cov-report=term

test-playground: $(READY) ## playground: its modules in Node, its arithmetic against PyTorch
	@echo "==> playground"
	@$(BIN)/python -m pytest tests/playground

playground-types: $(READY) ## playground: bring TypeScript from npm, and check the types too
	@$(BIN)/python tools/npm.py typescript
	@$(BIN)/python -m pytest tests/playground -k types

test-notebooks: $(READY) run ## chapters: every notebook executed, every verdict compared
	@echo "==> notebooks"
	@$(BIN)/python -m pytest tests/notebooks

test-environments: $(READY) ## chapters under the oldest allowed packages and under Colab's
	@echo "==> environments"
	@$(BIN)/python -m pytest tests/environments

COLAB_CONSTRAINTS ?=
test-colab: $(READY) ## chapters under a given list of Colab's packages: make test-colab COLAB_CONSTRAINTS=FILE
	@COLAB_CONSTRAINTS=$(abspath $(COLAB_CONSTRAINTS)) $(BIN)/python -m pytest tests/environments -k colab

pdf: $(READY) book ## print the whole course: _build/html/residual-connections.pdf (needs Chromium)
	@$(BIN)/python book/pdf.py

zip: $(READY) pdf ## pack the site for reading without a network: _build/html/residual-connections.zip
	@$(BIN)/python book/archive.py

questions: $(READY) ## the question bank as files for Anki, Moodle and Canvas: _build/questions
	@PYTHONPATH=book $(BIN)/python -m builder.quiz.exports _build/questions

test-site: $(READY) zip ## built site: in a real browser
	@echo "==> site"
	@$(BIN)/python -m pytest tests/site --numprocesses=auto --dist=loadfile --reruns=1 -rR

audit: $(READY) book ## built site: Lighthouse's marks (from npm), which may not be too low
	@$(BIN)/python tools/audit.py

lint: $(READY) ## format, lint and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python tools/clean_notebooks.py --check

bench: $(READY) ## timings as ratios within one run
	@$(BIN)/python -m pytest benchmarks --benchmark-only -o python_files='bench_*.py'

clean: ## remove what was built (the store of trials and .venv stay)
	@rm -rf _build .pytest_cache .mypy_cache .ruff_cache .coverage
