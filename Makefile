# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export MPLBACKEND := Agg

.PHONY: demo test lint docs bench packages clean

demo: .venv/installed
	$(BIN)/caudex train noisy-student --threads 1

test: .venv/installed-dev packages lint docs
	$(BIN)/pytest -n 2

lint: .venv/installed-dev
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/names.py

# The site of the documents, build/site; a link or an anchor that leads nowhere is an error.
docs: .venv/installed-dev
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/site

bench: .venv/installed-dev
	$(BIN)/python benchmarks/views.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/text.py

.venv/installed: pyproject.toml
	@echo "installing into .venv; this takes some minutes"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

# The extras, and what tests need: only for those who work on the package.
.venv/installed-dev: .venv/installed
	@echo "installing what the tests need"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Fashion-MNIST comes as a Debian package, some packaged texts by npm, images of environments need OpenGL without a screen,
# pages a browser, and integrals are compared with Maxima's;
# tests that need them say so when they are missing.
packages:
	@if [ ! -d /usr/share/datasets/fashion-mnist ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends dataset-fashion-mnist; fi
	@if ! command -v npm >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends npm; fi
	@if ! ldconfig -p | grep -q libEGL.so.1 && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends libegl1 libgl1; fi
	@if [ ! -e /usr/bin/chromium ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; fi
	@if ! command -v maxima >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends maxima maxima-share; fi

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis
