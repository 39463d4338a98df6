# The commands of a clone. `make` alone lists the targets.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP) ## Export the bundled weights to INT8 and read the example images with the file
	$(PY) -m export.onnx --int8 --out build/crnn-lite-int8.onnx
	$(PY) -m crnn_edge read --model build/crnn-lite-int8.onnx examples/images

.PHONY: ship
ship: $(STAMP) ## Export the bundled checkpoints as the package's model files
	$(PY) -m export.onnx --int8 --out runtime/crnn_edge/models/crnn-lite.onnx
	$(PY) -m export.onnx model/weights/crnn-medium.safetensors --int8 --out runtime/crnn_edge/models/crnn-medium.onnx
	$(PY) -m export.onnx model/weights/crnn.safetensors --int8 --out runtime/crnn_edge/models/crnn.onnx

.PHONY: tables
tables: $(STAMP) ## Measure the tables of docs/benchmarks.md again: make tables CROPS=DIR SETS='DIR…'
	$(PY) -m examples.benchmark tables $(if $(CROPS),--crops $(CROPS)) $(if $(SETS),--sets $(SETS))

.PHONY: docs
docs: $(STAMP) ## Generate docs/api.md from the docstrings
	$(PY) tests/make_api_docs.py

.PHONY: test
test: lint ## Lint, check types, run all tests
	$(PY) -m pytest

.PHONY: test-arm64
test-arm64: $(STAMP) ## Run the device tests on emulated Arm boards (options: ARM=--help)
	$(PY) -m tests.arm $(ARM)

.PHONY: lint
lint: $(STAMP) ## Check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

.PHONY: format
format: $(STAMP) ## Format the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.PHONY: clean
clean: ## Remove everything the targets created
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch by itself and first, so that the constraint decides which build is installed.
$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[onnx,openvino,tflite,camera,train,export,dev]'
	touch $@
