# Everything a developer types. `make` alone lists the targets.

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
demo: $(STAMP) ## Export the shipped checkpoint to INT8 and read the example pictures with it
	$(PY) -m export.onnx --int8 --out build/crnn-lite-int8.onnx
	$(PY) -m runtime read --model build/crnn-lite-int8.onnx examples/images

.PHONY: ship
ship: $(STAMP) ## Export the shipped checkpoints as the runtime's models
	$(PY) -m export.onnx --int8 --out runtime/crnn_edge/models/crnn-lite.onnx
	$(PY) -m export.onnx model/weights/crnn-medium.safetensors --int8 --out runtime/crnn_edge/models/crnn-medium.onnx
	$(PY) -m export.onnx model/weights/crnn.safetensors --int8 --out runtime/crnn_edge/models/crnn.onnx

.PHONY: readme-tables
readme-tables: $(STAMP) ## Measure again what the README's tables say (takes minutes)
	$(PY) examples/benchmark.py readme

.PHONY: test
test: lint ## Lint, check types, run every test
	$(PY) -m pytest

.PHONY: test-arm64
test-arm64: $(STAMP) ## Test the runtime on emulated Arm boards (ARM=--help tells more)
	$(PY) -m tests.arm $(ARM)

.PHONY: lint
lint: $(STAMP) ## Style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

.PHONY: format
format: $(STAMP) ## Put the code into shape
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.PHONY: clean
clean: ## Remove what the targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch by itself and first, so that the constraint decides which build of it is taken.
$(STAMP): pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable '.[onnx,openvino,tflite,camera,train,export,dev]'
	touch $@
