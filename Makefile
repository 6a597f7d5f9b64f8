# Two commands are all one needs: `make run` and `make test`. `make help` lists the rest.
# The build itself is meson's; this file only puts set-up, build and checks in order.

BUILD ?= build
PORT ?= 8080
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= /usr/bin/python3
MESON ?= $(firstword $(wildcard /usr/bin/meson) meson)

.PHONY: all run test check bench soak install install-sysctl fmt clean help

all:
	@tools/build.sh $(BUILD) release

run:
	@MOTE_STEPS=6 tools/build.sh $(BUILD) release
	@tools/run-zoo.sh $(BUILD)/mote $(PORT)

test:
	@tools/build.sh $(BUILD) release test
	@$(PYTHON) tools/run-tests.py --build $(BUILD) unit e2e

check:
	@tools/build.sh $(BUILD) release test
	@$(PYTHON) tools/run-tests.py --build $(BUILD) unit e2e h2spec format lint sim asan tsan fuzz

bench:
	@tools/build.sh $(BUILD) release bench
	@NGINX=$$(tools/nginx.sh) $(PYTHON) bench/run.py --build $(BUILD)

soak:
	@tools/build.sh $(BUILD) release test
	@$(PYTHON) tools/run-tests.py --build $(BUILD) soak

install: all
	@$(MESON) configure $(BUILD) --prefix $(PREFIX)
	@ninja -C $(BUILD) --quiet mote
	@DESTDIR=$(DESTDIR) $(MESON) install -C $(BUILD) --no-rebuild
	@echo "Installed below $(DESTDIR)$(PREFIX); share/mote has a systemd unit and a sysctl file."
	@echo "For more than about 13,000 processes the machine must allow more memory mappings:"
	@echo "packaging/90-mote.conf says why, and 'make install-sysctl' puts it in place."

install-sysctl:
	install -D -m 644 packaging/90-mote.conf $(DESTDIR)/etc/sysctl.d/90-mote.conf
	@echo "Takes effect at the next start of the machine, or now with: sysctl -p /etc/sysctl.d/90-mote.conf"

fmt:
	@$(PYTHON) tools/run-tests.py fmt

clean:
	rm -rf build build-asan build-tsan build-fuzz

help:
	@echo "make run        set up, build, serve examples/zoo on http://127.0.0.1:$(PORT) (PORT=)"
	@echo "make            set up and build $(BUILD)/mote"
	@echo "make test       unit tests, simulation, end-to-end tests"
	@echo "make check      the same, and: format, lint, 20,000 seeds of the simulation, sanitizers, a minute of fuzzing"
	@echo "make soak       long runs: a million crashes, many seeds, fuzzing (SOAK_MINUTES=)"
	@echo "make bench      speed and memory, against nginx and the bare engine"
	@echo "make fmt        lay out the C sources"
	@echo "make install    to PREFIX=$(PREFIX) (DESTDIR= for packages)"
	@echo "make install-sysctl   allow more memory mappings, for more than about 13,000 processes"
	@echo "make clean      remove the build folders; the engine stays in the cache (~/.cache/mote-build)"
