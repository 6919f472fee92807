# `make smoke` and `make test` set up what they need; everything else stands on the same environment.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

STAGES := distill index retrieve evaluate

.PHONY: install smoke test faults fuzz check docs bench gpu audit licenses clean $(STAGES) sweep report cells

install: $(INSTALLED)

# HASHES=hashes/FILE installs nothing whose SHA-256 is not in that file, which is for one Python, system and build of torch.
# The last step compiles what numba and ranx compile on first use, about half a minute once.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
ifdef HASHES
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(HASHES)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
else
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
endif
	$(BIN)/optical warm-up
	@touch $@

smoke: install
	$(BIN)/optical sweep tiny

# EXPERIMENT=FILE is the experiment; REG, TARGETS, OBJECTIVE, PAIR and SEED name one cell, and OPTIONS adds other options.
NAMED = $(strip $(foreach option,REG TARGETS OBJECTIVE PAIR SEED,$(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) '$($(option))')))
FILE = '$(or $(EXPERIMENT),$(error EXPERIMENT=FILE expected, such as make sweep EXPERIMENT=tiny))'

$(STAGES): install
	$(BIN)/optical $@ $(FILE) $(NAMED) $(OPTIONS)

sweep report: install
	$(BIN)/optical $@ $(FILE) $(OPTIONS)

# `make cells EXPERIMENT=FILE -j 4 -k` makes four cells at a time, and continues behind one that fails.
CELLS := build/cells.mk

cells: install
	@mkdir -p $(dir $(CELLS))
	@$(BIN)/optical sweep $(FILE) $(OPTIONS) --print-commands | awk '{gsub(/\$$/, "$$$$"); print "cell" NR ":; " $$0; \
		all = all " cell" NR} END {print "all:" all "\n.PHONY: all" all}' > $(CELLS)
	@PATH="$(abspath $(BIN)):$$PATH" $(MAKE) --no-print-directory -f $(CELLS) all

test: install
	$(BIN)/python -m pytest -n auto --dist loadgroup

# ONLY=kills makes one of the attacks on the cache (damage, kills, full, read-only, contention, machines, clock).
faults: install
	$(BIN)/python -m tests.faults $(ONLY)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) docs
	$(BIN)/python -m pytest tests/test_startup.py tests/docs/test_site.py

# The site, from docs/ and the docstrings, in build/docs/index.html; a broken link or reference is an error.
docs: install
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --quiet docs build/docs

# ONLY=transport measures one group, ONLY=transport/share one part of it.
bench: $(VENV)/.installed-bench
	$(BIN)/python -m bench $(ONLY)

# Needs a GPU and a torch for CUDA, which constraints.txt may not install. Writes build/gpu.json.
gpu: $(VENV)/.installed-bench
	$(BIN)/python -m bench.gpu

$(VENV)/.installed-bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	@touch $@

# ONLY=run attacks one parser, RUNS=1000000 for longer than the usual 100,000 inputs each.
fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python -m tests.fuzz $(ONLY) --runs $(or $(RUNS),100000)

$(VENV)/.installed-fuzz: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[fuzz]"
	@touch $@

# Asks a database of vulnerabilities for every pin; one that could not be looked up is a failure, not a pass.
audit:
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet pip-audit
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

licenses: install
	@$(BIN)/python .ci/licenses.py

clean:
	rm -rf $(VENV) $(VENV)-audit build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
