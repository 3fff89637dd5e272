# finsync needs Python 3.11 or newer (with venv and pip) and make; everything else is installed into .venv.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv/bin/python
ARGS ?=
.DEFAULT_GOAL := help
.PHONY: run test lint bench reset status help python packages packages-dev

help:     ## say what can be done
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: packages     ## start everything on this machine (PORT=8000, FINSYNC_HOME=var, VERBOSE=1 for all output)
	@exec $(VENV) -m finsync.local run

test: packages-dev     ## run every test; ARGS="-m story" selects
	@exec $(VENV) -m pytest $(ARGS)

lint: packages-dev     ## check style, floors, types, deployment settings and migrations
	@exec $(VENV) -m tests.architecture.lint

bench: packages-dev     ## measure, as ratios (docs/operations.md)
	@exec $(VENV) -m bench $(ARGS)

reset: packages     ## forget all local data and start over
	@exec $(VENV) -m finsync.local reset

status: packages     ## say what runs and how the counts stand
	@exec $(VENV) -m finsync.local status

packages: python
	@$(PYTHON) -m finsync.local.packages

packages-dev: python
	@$(PYTHON) -m finsync.local.packages --dev

python:
	@test -n "$(PYTHON)" || { echo "finsync needs Python 3.11 or newer with venv and pip (Debian and Ubuntu: apt install python3 python3-venv)." >&2; exit 1; }
