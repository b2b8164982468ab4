# One target per chore. `make setup` first; everything else runs in the environment that is active.
.PHONY: setup test fast lint types app bench site audit release faults

setup:  ## install the project and what developing it needs
	pip install -r requirements-dev.txt
	pre-commit install

# A file's tests share what they build, so a process takes whole files; one thread each, or they wait for each other.
BESIDE = OMP_NUM_THREADS=1 pytest -n logical --dist loadfile --no-loadscope-reorder

test:  ## every test: those without a browser on every core, then those in one, two at a time
	$(BESIDE) -m "not browser"
	pytest -n 2 --dist loadfile tests/browser

fast:  ## the quick tests, on every core
	$(BESIDE) -m "not slow and not browser"

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

site:  ## the documentation site, in build/site; needs requirements-docs.txt
	python -m sphinx -W --keep-going -E -q -c docs/site docs build/site
	python docs/site/hosts.py build/site

audit:  ## bandit and pip-audit; needs requirements-tools.txt, best in an environment of its own
	python -m tools.audit

release: test  ## wheel, source archive, SBOM and checksums in dist/; needs requirements-tools.txt as well
	python -m tools.release --tested
	python -m tools.release
