# The commands of the house. `make` alone lists them.

PYTHON ?= python3
UV_VERSION := 0.13.9

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One that is there saves the download; looked up once, so that all recipes agree.
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)

.DEFAULT_GOAL := help
.PHONY: help install run fresh test search mutants lint format types lock docs proof clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## put what the service needs into .venv (at once when it is there)

# Compiled here, because where PYTHONDONTWRITEBYTECODE is set every process would compile all its imports anew: a worker
# then starts in 3.4 s of processor time instead of 1.4. The stamp comes last: an interrupted install is taken up again.
$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo 'inocycle needs Python 3.11 or newer, and "$(PYTHON)" is not that.'; \
	    echo 'Install it, or name one that is: make install PYTHON=python3.12'; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo 'This Python cannot make a virtual environment: its venv package is missing.'; \
	    echo 'On Debian and Ubuntu: apt-get install python3-venv'; exit 1; } >&2
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	    echo 'making $(VENV)'; $(PYTHON) -m venv --clear $(VENV); }
	@test -x '$(UV)' || { \
	    echo 'fetching uv $(UV_VERSION)'; $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	'$(UV)' pip install --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.txt
	'$(UV)' pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(INSTALLED)

run: install ## start everything, and on the first start conduct one course on screen
	@exec $(BIN)/inocycle up

fresh: install ## like run, with the invented patients laid out anew
	@exec $(BIN)/inocycle up --fresh

# One after another, cheapest first, whatever -j says: two cores serve the dev server better than a race. What needs no
# server takes every core. Pytest ends with 5 where ARGS chose none of one half: that is no failure.
test: install ## lint, types, import contracts, then every test; ARGS="-k liver" goes to pytest
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	$(BIN)/python -m pytest -m 'not server' --numprocesses auto --dist worksteal $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m server $(ARGS) || [ $$? -eq 5 ]

search: install ## every property with twenty times the examples, drawn at random; EXAMPLES=100 tries more
	INOCYCLE_EXAMPLES=$${EXAMPLES:-20} $(BIN)/python -m pytest -m hypothesis $(ARGS)

# Not in `make test`: a fault takes its tests, some seconds to some minutes. What it needs comes only when it is asked for.
mutants: install ## plant faults at random in the rules and the loop; ARGS="--number 20 --seed 2" draws another sample
	@'$(UV)' pip install --quiet --python $(BIN)/python --require-hashes -r requirements-mutants.txt
	$(BIN)/python -m tools.mutants $(ARGS)

lint: install ## ruff, and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: install ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install ## mypy, strict
	$(BIN)/mypy

lock: install ## resolve the dependencies of pyproject.toml into requirements*.txt, with hashes
	'$(UV)' pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 -o requirements.txt
	'$(UV)' pip compile pyproject.toml --extra dev --extra mutants --constraint requirements.txt --universal --generate-hashes \
	    --python-version 3.11 -o requirements-mutants.txt

docs: install ## redraw what is drawn from code: diagrams, rules, golden files
	$(BIN)/python -m tools.redraw

proof: install ## the page that a pharmacist signs: build/proof/index.html and proof.txt; DATE=2026-12-01 names another day
	$(BIN)/python -m tools.proof --date "$${DATE:-$$(date +%Y-%m-%d)}"

clean: ## remove .venv and all caches; var/ stays, it holds the state
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
