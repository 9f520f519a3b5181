# The checks that CI runs, one by one. `just` runs them all.

check: lint types layers docs-check test

test:
    python -m pytest

lint:
    ruff check .
    ruff format --check .

types:
    mypy

layers:
    lint-imports

docs-check:
    python -m docs.generate --check
    python -m docs.site

bench *what:
    python -m benchmarks {{what}}

# The tool with its runtime dependencies alone.
smoke:
    python -m venv --clear .venv-smoke
    .venv-smoke/bin/pip install --quiet .
    .venv-smoke/bin/s1inspect --help

# Every guard against a fault, taken out in turn: a test must notice.
guards *words:
    python -m fuzz.guards {{words}}
