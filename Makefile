# What a developer or a first-time user types. Needs GNU make, Python 3.11 or newer, and nothing else: all of it
# goes into .venv, pinned and checked by hash.

ifeq ($(origin PYTHON),undefined)
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11
else
PYTHONS := $(PYTHON)
endif
UV   ?= uv
# The environment of development. Two targets call make again with another folder, lock or package.
VENV    := .venv
LOCK    := requirements.lock
PACKAGE := -e .
BIN     := $(VENV)/bin
# How many tests run at once: three for two cores, since many wait for processes, and eight at most. With JOBS=0 all run
# in one process, in the order of the seed.
JOBS    := $(shell jobs=$$(($$(nproc) * 3 / 2)); echo $$((jobs < 8 ? jobs : 8)))
AT_ONCE  = -n $(JOBS) --dist worksteal
PIP     := $(BIN)/python -m pip install --quiet

# An index or a proxy that PIP_* names is honoured. What would send packages elsewhere than into .venv, or change
# what is installed, is not.
export PIP_USER := 0
export PIP_REQUIRE_HASHES := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_DEPS
unexport PIP_CONSTRAINT PIP_BUILD_CONSTRAINT PIP_REQUIREMENT PIP_EDITABLE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-deep test-memory test-crash fuzz soak test-wheel test-lowest test-taps test-clients test-operations coverage golden screenshots
.PHONY: peers dashboards deb sbom compare bench bench-full bench-check bench-instructions wheel check format docs lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PYTHON=python3.12 chooses the interpreter that .venv is made with"

demo: $(VENV)/.project ## a simulated provider and the daemon on it, until Ctrl-C; FOR=12: for 12 seconds
	@$(BIN)/steno demo $(if $(FOR),--for $(FOR))

# Clients of a provider, each in an environment of its own.
CLIENTS       := build/clients
CLIENT_LOCKS  := tests/clients/locks
test: $(VENV)/.dev ## run the tests, several at once (JOBS=0: in one process); ARGS="-k audit -x" goes to pytest
	$(BIN)/pytest $(AT_ONCE) $(ARGS)

# Twenty times the examples of each property, and a million ids: minutes, not seconds.
test-deep: $(VENV)/.dev ## run the properties and the memory test in their deep form, for minutes
	STENO_TESTS=deep $(BIN)/pytest -m "hypothesis or deep" --timeout=900 $(ARGS)

# What takes most memory within the limits, against the MemoryHigh of the unit. It prints what the daemon took, and the
# seed of the mixes; STENO_SEED=... draws the same ones.
test-memory: $(VENV)/.dev ## feed the daemon with what takes most memory, for minutes
	STENO_TESTS=deep $(BIN)/pytest tests/memory -s --timeout=900 $(ARGS)

# A daemon that dies at each of some thirty points, under four configurations. It prints what it found.
test-crash: $(VENV)/.dev ## kill the daemon some 200 times and fill its disk, for minutes
	STENO_TESTS=deep $(BIN)/pytest tests/crash tests/test_full_disk.py --timeout=900 $(ARGS)

# What it finds is in build/fuzz, as a recording. `make test` runs a few seconds of it.
fuzz: $(VENV)/.dev ## feed traffic that nobody meant, for FOR seconds (120); SEED=n: begin with the seed that it printed
	$(BIN)/python -m tests.fuzz.run $(or $(FOR),120) $(SEED)

# A disk that gets full and a log that nobody reads go with it. `make test` runs some seconds of it.
soak: $(VENV)/.dev ## run the daemon among hostile sources and faults, for FOR seconds (600); SEED=n: the same again
	$(BIN)/python -m tests.soak.run $(or $(FOR),600) $(SEED)

# What users install. It must run with nothing but what its lock names, before the tools of the tests are added. The
# tests find it in the environment, since nothing puts src/ on their path, and tests/test_wheel.py makes sure.
INSTALLED := build/venv-wheel
test-wheel: wheel ## install the wheel into an empty environment, and run the tests on it
	rm -rf $(INSTALLED)
	@$(MAKE) --no-print-directory VENV=$(INSTALLED) PACKAGE='dist/*.whl' $(INSTALLED)/.project
	$(INSTALLED)/bin/python -m pip check
	$(INSTALLED)/bin/steno demo --for 3
	@$(MAKE) --no-print-directory VENV=$(INSTALLED) PACKAGE='dist/*.whl' $(INSTALLED)/.dev
	STENO_WHEEL=$$(echo dist/*.whl) $(INSTALLED)/bin/pytest $(AT_ONCE) $(ARGS)

# The lowest Python is a bound as well, where there is one.
LOWEST := build/venv-lowest
test-lowest: ## run the tests on the lowest versions that pyproject.toml allows
	rm -rf $(LOWEST)
	@$(MAKE) --no-print-directory VENV=$(LOWEST) LOCK=requirements-lowest.lock \
	    PYTHON='python3.11 $(PYTHONS)' $(LOWEST)/.project
	$(LOWEST)/bin/pytest $(AT_ONCE) $(ARGS)

# What applications embed must not need what steno needs: each library is installed as it is published, beside the SDKs
# that it works with, in an environment made from its own lock.
TAPS := build/venv-taps
test-taps: ## run the tests of the libraries in clients/, each in an environment of its own (needs node and npm)
	@$(MAKE) --no-print-directory VENV=$(TAPS) LOCK=clients/python/requirements.lock $(TAPS)/.locked
	$(TAPS)/bin/python -m pip install --quiet --no-deps --no-build-isolation --no-index --force-reinstall clients/python
	cd clients/python && ../../$(TAPS)/bin/pytest $(ARGS)
	cd clients/js && npm ci --no-audit --no-fund --loglevel=error && npm test

# Unchanged clients of a provider, through a proxy of steno and with its taps. It prints what was equal at both ends. What
# cannot be installed is a failure here. Node and npm have to be there; Chromium is installed where root may do that.
test-clients: $(VENV)/.dev $(patsubst $(CLIENT_LOCKS)/%.lock,$(CLIENTS)/%/.locked,$(wildcard $(CLIENT_LOCKS)/*.lock))
test-clients: $(CLIENTS)/node/.locked ## run all clients against a simulated provider (needs node, npm and chromium)
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	    && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	    || { echo "make test-clients needs chromium on PATH; as root on Debian it installs it" >&2; exit 1; }
	STENO_CLIENTS=all $(BIN)/pytest tests/clients $(AT_ONCE) --timeout=600 $(ARGS)

# What operators put around it: a browser, a Prometheus. What cannot be installed is a failure here. Debian's packages are
# installed where root may do that; the server that comes with the package is not started. What some machines have and
# others cannot get is used where it is: kubectl, docker compose, lintian, and as root buildah and mmdebstrap.
# What drives the browser, tries the API, reads manifests and takes spans is in environments of their own: the first brings
# a Node of 45 MB along, the last 600 MB.
OPERATIONS      := build/operations
OPERATION_LOCKS := tests/operations/locks
$(OPERATIONS)/%/.locked: $(OPERATION_LOCKS)/%.lock
	@$(MAKE) --no-print-directory VENV=$(@D) LOCK=$< $@

BROWSER         := $(OPERATIONS)/browser
DASHBOARDS      := $(OPERATIONS)/dashboards
TOOLS           := $(OPERATIONS)/tools
# A backend that takes spans is 600 MB: PHOENIX=1 has it too.
ASKED           := $(filter-out $(if $(PHOENIX),,%/phoenix.lock),$(wildcard $(OPERATION_LOCKS)/*.lock))
test-operations: $(VENV)/.dev $(patsubst $(OPERATION_LOCKS)/%.lock,$(OPERATIONS)/%/.locked,$(ASKED))
test-operations: ## run the tests with a browser and a Prometheus (needs chromium, prometheus and promtool)
	@for each in chromium prometheus; do command -v $$each >/dev/null || { test "$$(id -u)" = 0 \
	    && command -v apt-get >/dev/null && apt-get update -qq \
	    && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$each >/dev/null; } \
	    || { echo "make test-operations needs $$each on PATH; as root on Debian it installs it" >&2; exit 1; }; done
	PYTHONPATH=. $(DASHBOARDS)/bin/python -m tools.dashboards --check
	STENO_OPERATIONS=all $(BIN)/pytest tests/operations $(AT_ONCE) --timeout=600 $(ARGS)

# One order, one choice of examples and no recordings, so that two runs find the same wherever they run.
# FLOORS=anew writes all floors from this run; afterwards `coverage html` shows what did not run.
coverage: $(VENV)/.dev ## run the tests and hold each file to its floor of coverage; FLOORS=raise: lift the floors
	rm -rf build/coverage
	STENO_CORPUS=none STENO_CASES=none $(BIN)/coverage run -m pytest $(AT_ONCE) -p no:randomly \
	    --hypothesis-profile=repeatable
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o build/coverage/report.json
	$(BIN)/python tools/coverage_floor.py $(FLOORS)

screenshots: $(VENV)/.dev $(BROWSER)/.locked ## take the pictures of the page in docs/images, from the demo (needs chromium)
	PYTHONPATH=. $(BIN)/python tools/screenshots.py

golden: $(VENV)/.dev ## write the outputs in tests/golden anew, to be read as a diff
	STENO_GOLDEN=write $(BIN)/pytest -q tests/test_golden.py

# Both set the working tree beside another revision, however src/ is laid out in either.
NAMED = $(if $(BASE),,$(error which revision? For instance: make $@ BASE=main))
compare: $(VENV)/.dev ## replay recordings with revision BASE too, compare every byte; FILES="DIR ..." adds recordings
	$(NAMED)PYTHONPATH=. $(BIN)/python tools/compare_outputs.py --base "$(BASE)" $(ARGS) $(FILES)

# What steno is measured against, each in an environment of its own.
PEERS      := build/benchmarks
PEER_LOCKS := benchmarks/locks
peers: $(patsubst $(PEER_LOCKS)/%.lock,$(PEERS)/%/.locked,$(wildcard $(PEER_LOCKS)/*.lock)) ## install what is measured beside steno

# The rows of what cannot be installed say that they were skipped. Both write benchmarks/RESULTS.md.
bench: $(VENV)/.dev ## measure all that is promised, in a quarter of an hour; ARGS="throughput ...": these subjects alone
	-@$(MAKE) --no-print-directory $(PEERS)/sdk/.locked
	PYTHONPATH=. $(BIN)/python benchmarks/bench.py $(ARGS)

bench-full: $(VENV)/.dev ## the same with all frames and all peers, for an hour or more
	-@$(MAKE) --no-print-directory --keep-going peers
	PYTHONPATH=. $(BIN)/python benchmarks/bench.py --full $(ARGS)

bench-check: $(VENV)/.dev ## measure speed against revision BASE, for minutes; FILES="DIR ..." are other recordings
	$(NAMED)PYTHONPATH=. $(BIN)/python benchmarks/check.py --base "$(BASE)" $(ARGS) $(FILES)

# Without BASE: where the branch left main, or the commit before. MOST=1.1 lets a change through that has to cost more.
bench-instructions: $(VENV)/.dev ## count instructions an event against revision BASE, and hold them to 3 % (needs valgrind)
	@command -v valgrind >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	    && apt-get update -qq && apt-get install -y -qq --no-install-recommends valgrind >/dev/null; } \
	    || { echo "make bench-instructions needs valgrind on PATH; as root on Debian it installs it" >&2; exit 1; }
	PYTHONPATH=. $(BIN)/python benchmarks/instructions.py $(if $(BASE),--base "$(BASE)") $(if $(MOST),--most $(MOST))

wheel: $(VENV)/.locked ## build the wheel into dist/
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist .

# For the Debian that it is made on, since what has compiled parts is for one Python: that of the system. Building needs
# neither root nor more than dpkg-deb.
DEB_PYTHON := /usr/bin/python3
MAINTAINER ?= steno <root@localhost>
deb: wheel ## build a Debian package into dist/; MAINTAINER="Name <address>"
	$(BIN)/python tools/debian_package.py dist/*.whl dist $(DEB_PYTHON) "$(MAINTAINER)"

check: $(VENV)/.dev ## lint, formatting, types, and which way imports point
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd clients/python && $(CURDIR)/$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## sort imports, fix what can be fixed safely, format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(VENV)/.project ## write the pages of docs/ that follow from the code, and the schema for editors
	PYTHONPATH=. $(BIN)/python tools/facts_page.py
	PYTHONPATH=. $(BIN)/python tools/configuration_page.py
	PYTHONPATH=. $(BIN)/python tools/configuration_schema.py

dashboards: $(DASHBOARDS)/.locked ## write the dashboards in deploy/grafana/dashboards from tools/dashboards
	PYTHONPATH=. $(DASHBOARDS)/bin/python -m tools.dashboards

# It says what the image and the Debian package hold, and lies in both.
sbom: $(VENV)/.project $(TOOLS)/.locked ## write deploy/steno.cdx.json from requirements.lock
	$(BIN)/python tools/sbom.py $(TOOLS)/bin/cyclonedx-py

# The library in clients/python is locked apart, from the oldest Python that it allows on.
# The pins that stand are kept; ARGS=--upgrade moves them all, ARGS="--upgrade-package rich" one. Each lock is one
# resolution for all Pythons and machines. The second keeps to the first; the third has the lower bounds.
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra redaction --extra anchor \
           --extra otel --no-header --no-emit-index-url --no-emit-find-links
COMPILE_CLIENT := $(filter-out --extra redaction anchor otel,$(COMPILE)) --no-annotate
lock: ## write requirements*.lock from pyproject.toml (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(COMPILE) $(ARGS) --group build -o requirements.lock pyproject.toml
	$(COMPILE) $(ARGS) --group build --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	$(COMPILE) $(ARGS) --resolution lowest-direct --group build --group dev -o requirements-lowest.lock pyproject.toml
	for asked in $(CLIENT_LOCKS)/*.in $(OPERATION_LOCKS)/*.in $(PEER_LOCKS)/*.in; do $(COMPILE_CLIENT) $(ARGS) -o "$${asked%.in}.lock" "$$asked" || exit; done
	cd clients/python && $(UV) pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $(ARGS) --group test -o requirements.lock pyproject.toml

clean: ## remove .venv and every cache
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf clients/python/build clients/python/.*_cache clients/js/node_modules
	find src tests tools benchmarks clients -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp below is touched only when its step went well, so that nothing is installed twice and nothing is left
# half installed. When the Python that .venv was made with has gone, so must .venv, stamps and all.
$(shell test -x $(BIN)/python || rm -rf $(VENV))

$(BIN)/python:
	@for python in $(PYTHONS); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "making $(VENV) with $$("$$python" -V)"; \
	        "$$python" -m venv --clear $(VENV) && exit 0; \
	        rm -rf $(VENV); exit 1; \
	    fi; \
	done; \
	echo "steno needs Python 3.11 or newer, and none of these is: $(PYTHONS)." >&2; \
	echo "Say where one is: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1

# The rules below make such an environment, as if it were .venv.
$(CLIENTS)/%/.locked: $(CLIENT_LOCKS)/%.lock
	@$(MAKE) --no-print-directory VENV=$(@D) LOCK=$< $@

$(PEERS)/%/.locked: $(PEER_LOCKS)/%.lock
	@$(MAKE) --no-print-directory VENV=$(@D) LOCK=$< $@

$(CLIENTS)/node/.locked: $(CLIENT_LOCKS)/package-lock.json $(CLIENT_LOCKS)/package.json
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@cd $(@D) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Order-only: .venv's python is a link, and the age of what it points to says nothing.
$(VENV)/.locked: $(LOCK) | $(BIN)/python
	@echo "installing $(LOCK)"
	@$(PIP) --require-hashes -r $(LOCK)
	@touch $@

# The build backend comes from the lock. --no-index makes sure that nothing else is fetched.
$(VENV)/.project: pyproject.toml $(VENV)/.locked
	@$(PIP) --no-deps --no-build-isolation --no-index $(PACKAGE)
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.project
	@echo "installing requirements-dev.lock"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
