# make run     Orthanc with the drive, until Ctrl-C    (ORTHANC_PORT=8042 DAV_PORT=8043 DICOM_PORT=4242)
# make unit    the unit tests, in parallel: needs Python only, neither Orthanc nor Debian packages  (PYTHON=python3.12)
# make test    all checks and all tests                (ARGS="-k freshness" goes to pytest)
# make plugin  build the plugin and print its path     (ORTHANC_SDK_ROOT=/usr/include)
# make check   ruff, mypy, import-linter
# make fmt     let ruff format and mend
# make lock    renew requirements/: the newest version of all that pyproject.toml allows, with hashes, and the lowest ones
# make release   the source, the CycloneDX SBOM (make sbom makes it alone) and their hashes, in build/release
# make bench   measure the drive beside Orthanc's REST API, its own WebDAV and other servers  (ARGS="--only doors"; ARGS=--scale: archives up to 100,000 studies too)
# make bench-index  measure the local index alone, over simulated archives  (ARGS="--studies 1000000")
# make performance   write docs/performance.md and its plots from docs/performance/figures.json; measures nothing
# make test-large   transfers of 1 GB, in bounded memory
# make test-bookworm   the same on Debian 12, test-trixie on 13, test-forky on testing: in a chroot of it (needs root; ARGS=…)
# make test-stop    stop Orthanc while the drive is busy, many times (ROUNDS=50; about 15 minutes)
# make test-differential   5,000 damaged DICOM files by Orthanc's REST API and each door (25 minutes; TEST_SEED: other ones)
# make test-attacks   hostile and unlucky clients in great numbers (CLIENTS=1000; about 2 minutes)
# make test-crash   kill Orthanc, with the plugin or beside davfs serve, and davfs serve, many times (ROUNDS=60 of each)
# make test-trash   random deletions, restorations and purges, compared with a model after each (OPERATIONS=1000; TEST_SEED: other ones)
# make test-cluster   several Orthancs on one PostgreSQL, behind nginx, and its failures, for longer than make test (OPERATIONS=300 STUDIES=2000)
# make test-sanitize   random input for the plugin's C, with ASan and UBSan (ROUNDS=1000000 for each part)
# make test-lowest   unit tests, litmus and davfs serve with the lowest versions of what pyproject.toml allows (needs Python 3.11)
# make test-docker  build the images, and let the suites and real clients loose on them (needs Docker and Compose)
# make clean   remove what was built; make distclean: the environment and the demo's data too
# make clean-chroots   remove the chroots, which all checkouts share (DAVFS_CHROOTS=/var/cache/davfs-chroots)
#
# Each of them installs what it needs: Debian packages where some are missing, and a virtual environment in .venv.

# Debian's own Python: its libpython is the one that the official orthanc-python plugin brings into Orthanc.
PYTHON ?= /usr/bin/python3
SHELL  := /bin/bash
unexport PYTHONDONTWRITEBYTECODE  # or each server that a test starts would compile all modules again
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help run unit test test-bookworm test-trixie test-forky test-large test-stop test-attacks test-crash test-differential \
        test-docker test-lowest test-sanitize test-cluster test-trash plugin check fmt bench bench-index performance lock sbom release clean \
        distclean clean-chroots packages test-packages bench-packages chroot-packages venv-package

BIN    := .venv/bin
LONG   := $(BIN)/pytest --timeout 0
# Two processes for each core, since half of the time they wait for Orthanc and for clients; a module stays in one of them.
PARALLEL = --numprocesses $$((2 * $$(nproc))) --dist loadfile --no-loadscope-reorder
PLUGIN := build/libOrthancDavfs.so
STATIC := build/libOrthancStatic.so
TOOLS  := build/tools
LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
           --custom-compile-command 'make lock'
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
NATIVE := $(shell find native -type f \( -name '*.[chp]*' -o -name '*.map' \) -not -path '*/__pycache__/*')

RUN_PACKAGES  := orthanc orthanc-dev g++ python3-dev python3-venv fonts-dejavu-core
TEST_PACKAGES := $(RUN_PACKAGES) orthanc-python litmus cadaver curl davfs2 rclone fuse3 gvfs gvfs-backends gvfs-fuse \
                 libglib2.0-bin dbus-daemon chromium dcmtk dicom3tools unzip nodejs $(if $(shell command -v npm),,npm) \
                 postgresql orthanc-postgresql nginx-light libpq5 libfaketime rsyslog rsyslog-gnutls rsyslog-openssl \
                 poppler-utils libjpeg-turbo-progs
BENCH_PACKAGES := $(RUN_PACKAGES) rclone wrk git

help:
	@sed -n '/^#/!q; s/^# \?//p' Makefile

run: $(PLUGIN)
	@$(BIN)/python -m davfs.demo --plugin $(PLUGIN) --folder run

unit: .venv/.dev
	$(BIN)/pytest --numprocesses auto -m 'not packages and not slow' tests/unit $(ARGS)

test: check $(PLUGIN) test-packages
	$(BIN)/pytest $(or $(ARGS),$(PARALLEL) --ignore=tests/cluster/long)

test-large: $(PLUGIN) .venv/.dev test-packages
	DAVFS_TEST_FRAMES=2048 $(LONG) tests/contract/test_transfer.py $(ARGS)

test-bookworm test-trixie test-forky: chroot-packages
	tests/chroot.sh $(@:test-%=%) make test $(if $(ARGS),ARGS='$(subst ','\'',$(ARGS))')

test-stop: ROUNDS ?= 50
test-stop: $(PLUGIN) .venv/.dev test-packages
	TEST_ROUNDS=$(ROUNDS) TEST_ARCHIVE=build/archive $(LONG) tests/webdav/test_stopping_under_load.py $(ARGS)

test-differential: $(PLUGIN) .venv/.dev test-packages
	$(LOCKED) -r requirements/differential.txt
	TEST_MUTANTS=5000 $(LONG) tests/webdav/test_differential.py $(ARGS)

test-attacks: CLIENTS ?= 1000
test-attacks: $(PLUGIN) .venv/.dev test-packages
	TEST_CLIENTS=$(CLIENTS) $(LONG) tests/webdav/test_stalled.py $(ARGS)

test-crash: ROUNDS ?= 60
test-crash: $(PLUGIN) .venv/.dev test-packages
	TEST_ROUNDS=$(ROUNDS) $(LONG) tests/webdav/test_crash.py tests/webdav/test_trash_crash.py tests/webdav/test_attach_crash.py $(ARGS)

test-trash: OPERATIONS ?= 1000
test-trash: $(PLUGIN) .venv/.dev test-packages
	TEST_OPERATIONS=$(OPERATIONS) TEST_SEED=$${TEST_SEED:-1} $(LONG) tests/webdav/test_trash_model.py $(ARGS)

test-cluster: OPERATIONS ?= 300
test-cluster: STUDIES ?= 2000
test-cluster: $(PLUGIN) .venv/.dev test-packages
	TEST_OPERATIONS=$(OPERATIONS) TEST_STUDIES=$(STUDIES) $(LONG) tests/cluster $(ARGS)

test-sanitize: ROUNDS ?= 1000000
test-sanitize: .venv/.dev test-packages
	TEST_ROUNDS=$(ROUNDS) TEST_SEED=$${TEST_SEED:-$$(date +%Y%m%d)} $(LONG) tests/native $(ARGS)

test-lowest: test-packages
	tests/lowest.sh $(or $(ARGS),tests/unit tests/litmus tests/webdav/test_serve.py)

test-docker:
	docker/test.sh

plugin: $(PLUGIN)
	@echo $(abspath $(PLUGIN))

check: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: .venv/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench-index: .venv/.dev
	PYTHONPATH=. $(BIN)/python bench/run.py --only index $(ARGS)

bench: .venv/.dev $(PLUGIN) $(STATIC) bench-packages
	PYTHONPATH=. $(BIN)/python bench/run.py $(ARGS)

performance: .venv/.dev
	$(LOCKED) -r requirements/performance.txt
	PYTHONPATH=. $(BIN)/python bench/performance.py $(ARGS)

# --upgrade renews what is locked already; the headers of the files name this target.
lock: $(TOOLS)
	$(COMPILE) pyproject.toml --output-file requirements/davfs.txt
	$(COMPILE) pyproject.toml --extra cluster --constraints requirements/davfs.txt --output-file requirements/cluster.txt
	$(COMPILE) --group build --output-file requirements/build.txt
	$(COMPILE) --group dev --constraints requirements/davfs.txt --output-file requirements/dev.txt
	$(COMPILE) --group differential --output-file requirements/differential.txt
	$(COMPILE) --group performance --constraints requirements/dev.txt --output-file requirements/performance.txt
	$(COMPILE) --group release --output-file requirements/release.txt
	$(COMPILE) pyproject.toml --group build --resolution lowest-direct --output-file build/lowest.txt
	$(COMPILE) pyproject.toml --group build --group dev --constraints build/lowest.txt --output-file requirements/lowest.txt

# Of an environment that has nothing but what is locked: that tells licences, and what depends on what.
sbom: $(TOOLS)
	@mkdir -p build/release
	$(PYTHON) -m venv --clear --without-pip build/locked
	$(TOOLS)/bin/pip --quiet --python build/locked install --require-hashes -r requirements/davfs.txt
	$(TOOLS)/bin/cyclonedx-py environment --validate --output-reproducible --pyproject pyproject.toml \
	  --output-file build/release/orthanc-davfs-$(VERSION).cdx.json build/locked

release: sbom
	git archive --prefix orthanc-davfs-$(VERSION)/ --output build/release/orthanc-davfs-$(VERSION).tar.gz HEAD
	cd build/release && sha256sum orthanc-davfs-$(VERSION).* >SHA256SUMS

clean:
	rm -rf build *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv run

clean-chroots:
	tests/chroot.sh --clean

# --- set-up: what it prints goes to standard error, so that `make plugin` prints one line ------------------------------

$(PLUGIN): $(NATIVE) .venv/.run | packages
	@echo "building $@" >&2
	@$(BIN)/python native/build.py >/dev/null
	@touch $@

# The plugin that bench/layouts.py compares with.
$(STATIC): bench/static.c native/json.c native/send.cc native/core.cc native/guarded.hh native/davfs.h | packages
	@echo "building $@" >&2
	@mkdir -p build
	@$(CC) -O2 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-deprecated-declarations \
	  -I"$${ORTHANC_SDK_ROOT:-/usr/include}" -o $@ $(filter %.c %.cc,$^) -lstdc++

.venv/.run: pyproject.toml requirements/davfs.txt requirements/build.txt | venv-package
	@echo "installing the virtual environment" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv >&2
	@$(LOCKED) -r requirements/davfs.txt -r requirements/build.txt >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . >&2
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	@$(LOCKED) -r requirements/dev.txt >&2
	@touch $@

$(TOOLS): requirements/release.txt | venv-package
	@$(PYTHON) -m venv --clear $@
	@$@/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<

# Debian has the modules that make virtual environments in a package of their own.
venv-package:
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(call install,python3-venv); }

packages:
	@$(call install,$(RUN_PACKAGES))

test-packages:
	@$(call install,$(TEST_PACKAGES))

bench-packages:
	@$(call install,$(BENCH_PACKAGES))

chroot-packages:
	@$(call install,debootstrap debian-archive-keyring)

# Installs those of the Debian packages that are missing. Debian starts a service of its own along with some of them; where
# the package came from here, the service is switched off: Orthanc's takes ports 8042 and 4242 from `make run`.
define install
missing=(); \
for name in $(1); do \
  [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$name 2>/dev/null)" = installed ] || missing+=("$$name"); \
done; \
if [ $${#missing[@]} -gt 0 ]; then \
  as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
  echo "installing $${missing[*]}" >&2; \
  $$as_root apt-get -qq update >&2; \
  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$${missing[@]}" >&2; \
  for name in orthanc postgresql nginx-light rsyslog; do \
    [[ " $${missing[*]} " == *" $$name "* && -d /run/systemd/system ]] || continue; \
    $$as_root systemctl disable --quiet --now $${name%-light} >&2; \
    echo "Debian's own service was switched off; to have it: systemctl enable --now $${name%-light}" >&2; \
  done; \
fi
endef
