# The commands that people need; `make` lists them.
PYTHON := .venv/bin/python

help:
	@grep -E '^[a-z]+: *##|^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.venv: requirements.txt requirements-train.txt requirements-dev.txt
	python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt && touch .venv

app: .venv ## start the app
	$(PYTHON) -m streamlit run streamlit_app.py

test: .venv ## every test, browser included
	$(PYTHON) -m pytest

fast: .venv ## the tests without pages, torch or a browser
	$(PYTHON) -m pytest -m fast

check: .venv ## lint, format, types
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy

screenshots: .venv ## take the README's pictures again
	for script in take take_pages take_training take_live; do $(PYTHON) docs/screenshots/$$script.py; done

.PHONY: help app test fast check screenshots
