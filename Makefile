# `make` rebuilds everything and says how much of it is identical to what is committed; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# The environment's own package, also where another checkout's is on the path.
export PYTHONPATH := $(CURDIR)/src
# Each job is a process of its own: what it imports is compiled once and kept, also where the environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=
# A file of yours called random.py or types.py is not Python's.
export PYTHONSAFEPATH := 1
# What is installed goes into .venv, also where pip is set to install elsewhere.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT
# Fixed, since a container may show more cores than it has; each worker builds a small copy of the project for itself.
TWO_AT_A_TIME := --numprocesses 2 --dist worksteal

.PHONY: all help setup slurm test test-slow test-pages test-cpus test-slurm test-all lint claims diff why readme site plan history verify held verify-recorded bench measure push pull sync record crate deps report clean
.DEFAULT_GOAL := all

all: setup ## set up .venv, rebuild what has not been built or restored here, compare with the committed artefacts
	snakemake --cores --quiet rules
	@postproof verify --here || [ $$? -eq 1 ]  # 1: some differ, as after a change of params; that is no failure here

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready ## make .venv with the pinned packages

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "postproof needs Python 3.11 or newer; found: $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	pip install --quiet --no-compile --requirement requirements.lock  # Python compiles what is used, when it is
	pip install --quiet --no-deps --editable .
	touch $@

.venv/hub: .venv/ready requirements-hub.lock requirements-remotes.lock
	pip install --quiet --requirement requirements-hub.lock --requirement requirements-remotes.lock
	touch $@

.venv/slurm: .venv/ready requirements-slurm.lock
	pip install --quiet --requirement requirements-slurm.lock
	touch $@

# Their pins do not go with ours, so they have an environment of their own.
.venv/checkers/ready: .venv/ready requirements-checkers.lock
	$(PYTHON) -m venv .venv/checkers
	.venv/checkers/bin/pip install --quiet --requirement requirements-checkers.lock
	touch $@

slurm: .venv/slurm ## rebuild as `make` does, with each job a batch job of the SLURM cluster here
	snakemake --profile profiles/slurm --quiet rules
	@postproof verify --here || [ $$? -eq 1 ]

test: .venv/hub ## set up and run the tests (minutes); slow and GPU ones are left out
	pytest $(TWO_AT_A_TIME) -m "not slow and not gpu and not pages and not cpus and not slurm"

test-slow: .venv/hub .venv/checkers/ready ## the slow ones
	pytest $(TWO_AT_A_TIME) -m "slow and not gpu and not slurm"

test-pages: .venv/hub ## the pages in a real browser (needs chromium; skipped without)
	pytest $(TWO_AT_A_TIME) -m pages

test-cpus: .venv/hub ## on other processors, emulated (needs qemu-user; skipped without)
	pytest $(TWO_AT_A_TIME) tests/workflow/test_processors.py

test-slurm: .venv/hub .venv/slurm ## through a real SLURM of one node (needs slurm-wlm; skipped without); SMALL=yes: two of them
	pytest $(TWO_AT_A_TIME) -m "slurm$(if $(SMALL), and not slow)"

test-all: .venv/hub ## faults at each site of a system call (hours); writes docs/reliability.md
	POSTPROOF_ALL_FAULTS=yes pytest $(TWO_AT_A_TIME) -m "not gpu" --reliability tests/faults

lint: setup ## style, common slips, imports that go one way, dvc.yaml as the rules make it
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow/rules tests/workflow/toy/workflow/rules
	lint-imports
	postproof lint

claims: setup ## the verdicts, the worst first; POST=llama2 VERDICT="does not hold" SEVERITY=slip choose among them
	@postproof claims.show $(if $(POST),--post $(POST)) $(if $(VERDICT),--verdict "$(VERDICT)") \
	    $(if $(SEVERITY),--severity $(SEVERITY)) -- results/*/claims.json

diff: setup ## what changed in results/ since a commit, as tables and a page with charts side by side; REV=HEAD
	@postproof diff $(if $(REV),"$(REV)")

why: setup ## the last failure of a job, what to do, and how to run it alone; JOB= its output, rule or stage
	@postproof why $(JOB)

readme: setup ## fill the table of README.md from the verdicts
	postproof claims.readme results/*/claims.json

site: setup ## build the pages of all posts, and say where to open them
	snakemake --cores --quiet rules -- pages
	@echo "file://$(CURDIR)/results/site/index.html"

plan: setup ## which jobs Snakemake and DVC would run now
	postproof plan

history: setup ## write down what Git says of claims and charts: when rules were fixed, when verdicts and charts changed
	postproof history

verify: setup ## rebuild from nothing in a temporary clone, compare every artefact with dvc.lock; RECORD=yes: for the pages
	postproof verify $(if $(RECORD),--record)

held: setup ## put the inputs that are not ours to ship in place: from POSTPROOF_HELD=FOLDER, or the hub
	postproof held

verify-recorded: setup ## make the recorded runs again from these inputs and compare byte for byte
	postproof recorded

bench: setup ## speed, as ratios measured side by side; writes build/bench.csv
	postproof bench

measure: setup ## seconds and bytes on this machine, into data/measured (a quiet quarter of an hour)
	postproof --mode fast measure --all --device auto

push: setup ## send what dvc.lock records to the DVC remote (docs/sharing.md)
	postproof push

pull: setup ## restore artefacts from the DVC remote, and let Snakemake know
	postproof sync --pull

sync: setup ## let Snakemake know what DVC restored
	postproof sync

record: setup ## record what is here in dvc.lock and the DVC cache
	postproof record

crate: setup ## describe the results as an RO-Crate, and the software for who collects such
	postproof crate

deps: setup ## make dvc.yaml anew from the rules
	postproof dvcfile

report: setup ## Snakemake's own report of all charts, as one HTML file
	mkdir -p build && snakemake --report build/report.html

clean: ## remove what can be rebuilt, but not .venv and the DVC cache
	rm -rf data/raw data/prepared results/*/runs results-fast build logs .snakemake .postproof/outputs
