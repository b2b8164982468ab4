# One target per chore. `make setup` first; everything else runs in the environment that is active.
.PHONY: setup test fast lint types app bench faults

setup:  ## install the project and what developing it needs
	pip install -r requirements-dev.txt
	pre-commit install

test:  ## every test
	pytest

fast:  ## the tests that take well under a minute together
	pytest -m "not slow and not browser"

lint:  ## style and formatting
	ruff check .
	ruff format --check .

types:  ## static types
	mypy

app:  ## the dashboard
	streamlit run app/main.py

bench:  ## the speed table of docs/performance.md
	python -m benchmarks

faults:  ## the tables of docs/trust.md
	python -m benchmarks.faults
