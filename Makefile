# A thin front of CMake: `make help` lists what it does. Everything it builds is under build/.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
export CMAKE_GENERATOR ?= $(if $(shell command -v ninja),Ninja,Unix Makefiles)

all:
	@scripts/install-deps
	@cmake --preset release -DTEMPORAL_TESTS=$(or $(TESTS),OFF) --log-level=WARNING
	@cmake --build --preset release -j $(JOBS)

demo: all
	@scripts/demo

check:
	@scripts/check

bench: all
	@scripts/bench

fuzz:
	@scripts/check fuzz --fuzz-seconds $(or $(SECONDS),60)

mutate:
	@test/mutate/mutate.py --jobs $(JOBS) $(if $(ONLY),--only '$(ONLY)')

install: all
	@cmake --install build --prefix $(PREFIX)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

clean:
	@rm -rf build

help:
	@echo 'make          the release build, into build/'
	@echo 'make demo     a workflow on temporald, from start to end'
	@echo 'make check    all tests, on gcc and clang, with the sanitizers, valgrind and fuzzers'
	@echo 'make bench    the benchmarks'
	@echo 'make fuzz     the fuzzers for a longer time (SECONDS=60 each)'
	@echo 'make mutate   shows that tests fail without what they are about (ONLY=pattern)'
	@echo 'make install  headers, libraries, pkg-config and CMake files (PREFIX=/usr/local)'
	@echo 'make format   clang-format over all C files'
	@echo 'make clean    removes build/'

.PHONY: all demo check bench fuzz mutate install format clean help
