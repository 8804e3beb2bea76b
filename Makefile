# What can be done here. Everything runs in .venv, which is made from plain python3 and uv.lock, step by step:
# a target installs what it lacks and never removes what another one brought.
#
# One more target is one more rule with its text after `##`; `make help` lists it.

# The Python that .venv is made from.
PYTHON ?= python3
# Where `make generate` writes.
OUT ?= .

BIN := .venv/bin
STAMPS := .venv/stamps
UV := $(BIN)/uv
# --inexact: leave installed what other targets need.
SYNC := UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --frozen --inexact --python $(BIN)/python
BASE := --extra all
DEV := $(BASE) --group dev
# What mypy reads; --strict and the rest are in pyproject.toml.
CODE := $(wildcard platform/modelyard registry_api scoring_service charts dags tests bench)

# The images, and the tag that `make images` gives them.
IMAGES := service scoring trainer airflow
TAG ?= 0.1.0

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-airflow test-server test-cluster test-data test-quickstart check test-chart generate \
	images sbom bench format lock clean
.DELETE_ON_ERROR:

help: ## List what can be done here.
	@printf 'Modelyard: commit a YAML file; tomorrow the model is scoring.\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

quickstart: $(STAMPS)/base ## From YAML files to scores: a simulated lender, on this machine, in a few minutes.
	@PATH="$$PWD/$(BIN):$$PATH" sh configs/lender/quickstart.sh

test: $(STAMPS)/dev ## Run every test that needs nothing but installed packages, and measure coverage.
	$(BIN)/python -m pytest --numprocesses logical --cov

test-airflow: $(STAMPS)/airflow ## Run the tests of the generated DAGs with the real Airflow.
	$(BIN)/python -m pytest -m airflow --numprocesses logical --dist loadfile tests/orchestration

test-server: $(STAMPS)/dev ## Run the tests on real servers: DynamoDB at TEST_DYNAMODB_URL, S3 at TEST_S3_URL.
	$(BIN)/python -m pytest -m server

test-cluster: $(STAMPS)/dev ## Run the tests in a Kubernetes cluster; tests/cluster/installation.py says what they are given.
	$(BIN)/python -m pytest -m cluster tests/cluster

test-data: $(STAMPS)/dev ## Run the tests on real data sets, from the folder that MODELYARD_DATA names.
	@test -d "$${MODELYARD_DATA:-}" || { \
		echo "MODELYARD_DATA names no folder; run: make test-data MODELYARD_DATA=/path/to/data" >&2; exit 1; }
	$(BIN)/python -m pytest -m data tests/data

test-quickstart: $(STAMPS)/dev ## Run the quick start twice, and kill it at seeded moments; it takes some minutes.
	$(BIN)/python -m pytest -m quickstart tests/quickstart

check: $(STAMPS)/dev ## Check format, lint, types, import contracts, generated files, the lock and shell scripts.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/uv lock --check
	find . -name .venv -prune -o \( -name '*.sh' -o -path './.ci/run' \) -print0 | xargs -0 $(BIN)/shellcheck
	$(MAKE) --no-print-directory generate OUT=build && diff -r schemas build/schemas
	diff charts/modelyard/README.md build/charts/modelyard/README.md
	diff charts/modelyard/values.schema.json build/charts/modelyard/values.schema.json
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

test-chart: $(STAMPS)/dev ## Check the chart: helm lint, and what it makes against Kubernetes 1.30 to 1.34; needs Helm.
	$(BIN)/python -m pytest -m chart tests/chart

generate: $(STAMPS)/dev ## Write what is generated: the JSON Schemas, the chart's README and the schema of its values.
	$(BIN)/modelyard schema --write $(OUT)/schemas
	$(BIN)/python charts/reference.py charts/modelyard $(OUT)/charts/modelyard

images: ## Build the images with docker, podman or buildah, whichever there is; BASE_IMAGE and TAG may be given.
	@builder=$$(for name in docker podman buildah; do command -v $$name && break; done) || { \
		echo "There is no docker, podman or buildah here." >&2; exit 1; }; \
	for image in $(IMAGES); do \
		echo "Building modelyard-$$image:$(TAG)"; \
		$$builder build $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) --tag modelyard-$$image:$(TAG) \
			--file images/$$image/Dockerfile . || exit 1; \
	done

sbom: $(STAMPS)/dev ## Write what each image is made of, from its Dockerfile's extras and uv.lock: CycloneDX, into build/sbom.
	@mkdir -p build/sbom
	@for image in $(IMAGES); do \
		$(UV) export --frozen --quiet --no-default-groups --preview-features sbom-export --format cyclonedx1.5 \
			$$(sed -n 's/^ARG EXTRAS="\(.*\)"/\1/p' images/$$image/Dockerfile) \
			--output-file build/sbom/modelyard-$$image.cdx.json >/dev/null || exit 1; \
		echo "build/sbom/modelyard-$$image.cdx.json"; \
	done

bench: $(STAMPS)/dev ## Measure speed as ratios, each beside a bare script that does the same work.
	$(BIN)/python -m bench

format: $(STAMPS)/dev ## Format the code, and mend what lint can mend by itself.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(UV) ## Bring uv.lock in line with pyproject.toml.
	$(UV) lock

clean: ## Remove .venv, caches, reports and builds; data and .modelyard folders stay.
	rm -rf .venv .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
		build dist htmlcov reports
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment. A stamp is as old as the last installation of what it names.

# The version of uv is the one in uv.lock, so that the lock is read by what wrote it.
$(UV):
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); install Python 3.11, 3.12 or 3.13." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "$$($(PYTHON) --version) will not do: Python 3.11, 3.12 or 3.13 is needed." >&2; \
		echo "If there is another one, name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv || { \
		echo "Python cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c 'import tomllib; print(*("uv==" + package["version"] for package in \
		tomllib.load(open("uv.lock", "rb"))["package"] if package["name"] == "uv"))' > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --requirement .venv/uv.txt

$(STAMPS)/base: EXTRAS := $(BASE)
$(STAMPS)/dev: EXTRAS := $(DEV)
$(STAMPS)/airflow: EXTRAS := $(DEV) --extra airflow

$(STAMPS)/base $(STAMPS)/dev $(STAMPS)/airflow: pyproject.toml uv.lock | $(UV)
	@echo "Installing from uv.lock: $(EXTRAS)"
	@$(SYNC) $(EXTRAS)
	@mkdir -p $(STAMPS) && touch $@
