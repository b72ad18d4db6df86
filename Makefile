# `make demo` and `make test` need python3 (3.11 or newer), make and pip; the rest is set up in .venv.
PYTHON ?= python3
READY := .venv/ready

.PHONY: help demo test clean

help:
	@echo 'make demo   convert, train, test and classify 1,797 digits: about a minute'
	@echo 'make test   everything that CI checks'
	@echo 'make clean  remove .venv and what the demo wrote'

demo: $(READY)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" examples/digits/demo.sh

test: $(READY)
	@PATH="$(CURDIR)/.venv/bin:$$PATH" scripts/check

# --without-pip: Debian's python3 has no ensurepip; the pip outside installs into the environment.
$(READY): pyproject.toml setup.py $(wildcard proto/*.proto)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "caffepy needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python .venv/bin/python install --quiet pip --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv demo build
