# The two commands a new user needs are `make demo` and `make test`; both set up `.venv` first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_OUT ?= build/demo
PYTEST := $(BIN)/python -m pytest -q

.PHONY: demo test test-all check format bench wheel clean

demo: $(READY)
	$(BIN)/swissxmod demo --out $(DEMO_OUT)

# A process for each core, and in each of them torch on one: the models of the tests are too small for more.
test: $(READY)
	OMP_NUM_THREADS=1 $(PYTEST) -n auto --dist loadfile

test-all: $(READY)
	$(PYTEST) -m ""

check: $(READY) build/typing/swissxmod
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	cd build/typing && ../../$(BIN)/mypy --config-file ../../pyproject.toml -p swissxmod

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/ideas.py
	$(BIN)/python benchmarks/pretraining.py

wheel: $(READY)
	$(BIN)/python -m pip wheel -q --no-deps -w build/wheel .

# Made again only when the dependencies change. torch comes first and at the tested version; which build it is, for
# processors or for CUDA, is what your package index offers (set PIP_INDEX_URL or PIP_EXTRA_INDEX_URL to choose).
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install -q torch -c constraints.txt
	$(BIN)/python -m pip install -qq -e '.[dev]' -c constraints.txt
	touch $@

# The root is the package, whatever the folder of the clone is called: the type checker sees it under its name.
build/typing/swissxmod:
	mkdir -p build/typing
	ln -sfn ../.. $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
