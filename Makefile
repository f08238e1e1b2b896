# Needs Python 3.11 or newer and make. Every target sets up .venv first if it is missing or its requirements changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup app demo demo-network screenshots translations test test-network fuzz lint bench bench-speed bench-quality bench-network bench-security clean

help:
	@echo "make setup             create $(VENV) and install wardround with its tools"
	@echo "make demo [DATA=DIR]   the story in a minute, on phantoms or on the real brain-tumour images in DIR"
	@echo "make app               the desktop app"
	@echo "make demo-network      a server and four sites as programs of their own, over TLS on this machine, in under three minutes"
	@echo "make test              all tests (those on real images need WARDROUND_DATA)"
	@echo "make test-network      what happens to a study when its programs are killed, its lines cut, its messages forged: about 20 minutes"
	@echo "make fuzz              10,000 damaged files of each of fifteen formats, in a process that is watched: about ten minutes"
	@echo "make lint              ruff, mypy --strict, import contracts"
	@echo "make bench             the results of benchmarks/RESULTS.md again, on real images: about three hours on 2 cores"
	@echo "make bench-speed       how fast and how lean the engine is, against loops written by hand: about 25 minutes on 2 free cores"
	@echo "make bench-quality     federated methods against pooled training, cell by cell; goes on where it was stopped"
	@echo "make bench-security    what protection costs and withstands: rules, secure sums, DP-SGD, poisoning, leakage: about two hours"
	@echo "make bench-network     overhead, memory, slow lines and four clinics with real images over a network: about an hour"
	@echo "make screenshots       the app's pages on real runs, into docs/images: about ten minutes"
	@echo "make translations      new texts of the app for its translators, and what they have translated for the app"
	@echo "make clean             remove $(VENV) and caches of tools"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "wardround needs Python 3.11 or newer; $(PYTHON) is older. Name another: make setup PYTHON=python3.12" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

demo: setup
	$(BIN)/wardround demo $(if $(DATA),--data '$(DATA)')

demo-network: setup
	$(BIN)/python examples/network.py $(if $(DATA),--data '$(DATA)')

test: setup
	$(BIN)/pytest -n 2 --dist loadfile

app: setup
	$(BIN)/wardround app

translations: setup
	$(BIN)/python benchmarks/app/collect_texts.py

screenshots: setup
	$(BIN)/python benchmarks/app/screenshots.py

test-network: setup
	$(BIN)/pytest -m network tests/network

fuzz: setup
	$(BIN)/python tests/hostile/fuzz.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python benchmarks/first_results.py
	$(BIN)/python benchmarks/five_systems.py

bench-speed: setup
	$(BIN)/python benchmarks/speed/micro.py
	$(BIN)/python benchmarks/speed/decode.py --out benchmarks/speed/decode.json
	$(BIN)/python benchmarks/speed/growth.py
	$(BIN)/python benchmarks/speed/run.py

bench-quality: setup
	$(BIN)/python benchmarks/quality/run.py
	$(BIN)/python benchmarks/quality/tables.py

bench-security: setup
	$(BIN)/python benchmarks/security/rules.py
	$(BIN)/python benchmarks/security/secagg.py
	$(BIN)/python benchmarks/security/studies.py

bench-network: setup
	$(BIN)/python benchmarks/network/run.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
