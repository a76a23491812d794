# SPDX-License-Identifier: Apache-2.0
#
# Countersign. `make help` lists what can be made; everything made goes below build/.
# Files are found by globbing, so a new file in a room needs no edit here. Reading this
# file runs no compiler and no pkg-config, so that it works before `make deps`.

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL := /bin/bash
export PATH := $(PATH):/usr/sbin:/sbin
export LC_ALL := C.UTF-8

V ?= 0
Q := $(if $(filter 0,$(V)),@)
say = @printf '  %-9s %s\n' $(1) $(2)

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
SBINDIR ?= $(PREFIX)/sbin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=

CC := gcc
CLANG ?= clang
BPFTOOL ?= bpftool
PKG_CONFIG ?= pkg-config
INSTALL ?= install
JOBS ?= $(shell nproc)
DEMO_ARGS ?=
BENCH_ARGS ?=
KERNELS_ARGS ?=
FUZZ_SECONDS ?= 60

# `make -j4 test` passes its own -j down; a plain `make test` uses all processors.
submake = $(MAKE) $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

# $(call once,NAME,command): the command's output, run when first needed and kept.
once = $(eval $(1) := $$(shell $(2)))$($(1))

B := build
GEN := $(B)/gen
VERSION = $(call once,VERSION,tools/version.sh)
MULTIARCH = $(call once,MULTIARCH,$(CC) -print-multiarch)

# ---- flags ------------------------------------------------------------------------

WERROR ?= -Werror
# Bounded buffers are cut on purpose; -Wformat-truncation would forbid just that.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wno-format-truncation $(WERROR)
CFLAGS ?= -O2 -g
CPPFLAGS += -I. -Iinclude -I$(GEN) -D_GNU_SOURCE=
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS += -Wl,-z,relro,-z,now -Wl,--as-needed
# As the kernel does: lists of one shape are walked by one function, whatever they list.
ALIASING := -fno-strict-aliasing
C_FLAGS := -std=gnu11 $(ALIASING) $(WARNINGS) $(CFLAGS) -MMD -MP

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
ASAN_FLAGS := -std=gnu11 $(ALIASING) $(WARNINGS) -O1 -g -fno-omit-frame-pointer $(SANITIZE) -MMD -MP

BPF_FLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall $(WERROR) -MMD -MP \
	-Ibpf -Iinclude -idirafter /usr/include/$(MULTIARCH)

# Debian's names; --as-needed keeps what a program does not use out of it.
libs = $(shell $(PKG_CONFIG) --libs $(1))
AGENT_PACKAGES := libbpf jansson yaml-0.1 libevent_core libcrypto libcap libnghttp2 libprotobuf-c \
	libcurl
CLI_PACKAGES := jansson yaml-0.1 libcrypto libnghttp2 libprotobuf-c

# ---- what there is ----------------------------------------------------------------

ROOMS := base identity kube flow policy source credential datapath
UNIT_ROOMS := base identity kube flow policy source credential sdk

# A room's .proto files become C below build/gen.
protos = $(patsubst %.proto,$(GEN)/%.pb-c.c,$(notdir $(wildcard user/$(1)/*.proto)))
room = $(wildcard user/$(1)/*.c) $(call protos,$(1))
rooms = $(foreach r,$(1),$(call room,$(r)))
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
asan = $(patsubst %.c,$(B)/asan/%.o,$(1))

# maps.bpf.c defines the maps and is linked first: the linker of bpftool 7.1 leaves every
# map at offset 0 of the BTF when it meets an extern before the definition.
BPF_SOURCES := $(wildcard bpf/maps.bpf.c) $(filter-out bpf/maps.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_OBJECTS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.o,$(BPF_SOURCES))
BPF_LINKED := $(if $(BPF_SOURCES),$(B)/bpf/countersign.bpf.o)
SKELETON := $(if $(BPF_SOURCES),$(GEN)/countersign.skel.h)

# tests/bpf/<name>.bpf.c are programs of the tests; each becomes <name>.skel.h (struct <name>_bpf)
TEST_BPF_SOURCES := $(wildcard tests/bpf/*.bpf.c)
TEST_SKELETONS := $(patsubst tests/bpf/%.bpf.c,$(GEN)/%.skel.h,$(TEST_BPF_SOURCES))

SDK_SOURCES := $(call room,sdk)
EXAMPLES := $(wildcard docs/examples/*.c)

# What unit tests and the lab, or unit tests and a fuzzer, have in common.
TRUTH_SOURCES := $(wildcard tests/truth/*.c)
DIFFERENTIAL_SOURCES := $(wildcard tests/fuzz/differential/*.c)

FUZZ_SOURCES := $(wildcard tests/fuzz/fuzz_*.c)

UNIT_SOURCES := $(wildcard tests/unit/*.c) $(TRUTH_SOURCES) $(DIFFERENTIAL_SOURCES) $(FUZZ_SOURCES)
BPFTEST_SOURCES := $(filter-out $(TEST_BPF_SOURCES),$(wildcard tests/bpf/*.c))
LABTEST_SOURCES := $(wildcard tests/lab/test_*.c) $(TRUTH_SOURCES)
LAB_SOURCES := $(filter-out $(LABTEST_SOURCES),$(wildcard tests/lab/*.c))
LAB_PROGRAMS := $(wildcard tests/lab/programs/*.c)
PEER_PROGRAMS := $(wildcard tests/peers/*.c)
KUBETEST_SOURCES := $(wildcard tests/kube/*.c) tests/lab/test_common.c
KUBE_PROGRAMS := $(wildcard tests/kube/programs/*.c)

# A folder below tools/ with C files is one program of that name.
TOOLS := $(filter-out gen-reasons,$(patsubst tools/%/,%,$(sort $(dir $(wildcard tools/*/*.c)))))

# main.c has main(): it is no part of what the tests link.
TESTED := $(filter-out %/main.c,$(call rooms,$(ROOMS) agent cli))
UNIT_TESTED := $(filter-out %/main.c,$(call rooms,$(UNIT_ROOMS) agent cli))

ROOMS_LIB := $(B)/obj/rooms.a
UNIT_LIB := $(B)/asan/rooms.a
LAB_LIB := $(B)/obj/lab.a
SDK_LIB := $(if $(SDK_SOURCES),$(B)/libcountersign.a)

PROGRAMS := $(if $(call room,agent),$(B)/countersignd) $(if $(call room,cli),$(B)/countersign)
LIBRARY := $(if $(SDK_SOURCES),$(addprefix $(B)/,libcountersign.a libcountersign.so countersign.pc))
dashed = $(subst _,-,$(notdir $(basename $(1))))
HELPERS := $(addprefix $(B)/,$(TOOLS) $(notdir $(basename $(LAB_PROGRAMS) $(EXAMPLES))) \
	$(call dashed,$(KUBE_PROGRAMS)))
FUZZ_ROOMS := base identity kube flow policy credential
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%,$(FUZZ_SOURCES))
TESTS := $(if $(UNIT_SOURCES),$(B)/test-unit) $(if $(BPFTEST_SOURCES),$(B)/test-bpf) \
	$(if $(LABTEST_SOURCES),$(B)/test-lab)

# ---- what people type -------------------------------------------------------------

.PHONY: help deps build programs tests demo test test-peers test-kube check bench fuzz kernels docs format clean install uninstall

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nVariables: V=1 (show commands), PREFIX=%s, DESTDIR, CFLAGS, WERROR= (no -Werror)\n' \
		'$(PREFIX)'

deps: ## Install the Debian packages that are missing (as root; offline when none is)
	$(Q)tools/deps.sh

build: programs ## Build the agent, the command line, the library and the helper programs

programs: $(BPF_LINKED) $(PROGRAMS) $(LIBRARY) $(HELPERS)

tests: $(TESTS)

demo: ## Set up, build and run the demonstration: exit code 0 when all is as expected (root)
	$(Q)tools/deps.sh build demo
	+$(Q)$(submake) build
	$(Q)tools/demo.sh $(DEMO_ARGS)

test: ## Set up, build and run every test; the last line counts them (root)
	$(Q)tools/deps.sh build test demo
	+$(Q)$(submake) build tests
	$(Q)tools/test.sh

test-peers: ## Test against real SPIRE, built from its Go modules, and a software TPM (root)
	$(Q)tools/deps.sh build peers
	+$(Q)$(submake) $(B)/countersign $(B)/key-uri $(addprefix $(B)/,$(call dashed,$(PEER_PROGRAMS)))
	$(Q)tests/peers/run.sh

test-kube: ## Test against a real Kubernetes API server, built from its Go modules (root)
	$(Q)tools/deps.sh build test kube
	+$(Q)$(submake) build $(B)/test-kube
	$(Q)tests/kube/run.sh

bench: ## Set up, build and measure; writes build/bench.json (root)
	$(Q)tools/deps.sh build demo
	+$(Q)$(submake) build
	$(Q)tools/bench.sh $(BENCH_ARGS)

fuzz: ## Fuzz the parsers with libFuzzer, FUZZ_SECONDS each (60), and the compiler against a reference
	$(Q)tools/deps.sh build fuzz
	+$(Q)$(submake) $(FUZZERS) $(B)/fuzz-differential
	$(Q)tools/fuzz.sh $(FUZZ_SECONDS)

kernels: ## Boot other kernels in virtual machines and try programs and tests there (root)
	+$(Q)$(submake) build $(B)/test-lab
	$(Q)tools/kernels.sh $(KERNELS_ARGS)

clean: ## Remove build/
	$(Q)rm -rf $(B)

# ---- checks -----------------------------------------------------------------------

CHECKS := format cppcheck shell layers sizes tree docs
.PHONY: $(addprefix check-,$(CHECKS))

check: ## Check format, C and shell code, layers, sizes, generated files
	+$(Q)$(submake) -k --output-sync=target $(addprefix check-,$(CHECKS))
	@echo 'check: all is well'

check-format check-cppcheck check-shell check-layers check-sizes check-tree: check-%:
	$(call say,CHECK,$*)
	$(Q)tools/check-$*.sh

check-docs: $(B)/gen-reasons
	$(call say,CHECK,docs)
	$(Q)$(B)/gen-reasons | diff -u docs/reasons.md - || \
		{ echo 'docs/reasons.md is not what reasons.h says: run `make docs`' >&2; exit 1; }
	$(Q)$(B)/gen-reasons policy-codes | diff -u docs/policy-codes.md - || \
		{ echo 'docs/policy-codes.md is not what lint_codes.h says: run `make docs`' >&2; exit 1; }
	$(Q)$(B)/gen-reasons conditions | diff -u docs/conditions.md - || \
		{ echo 'docs/conditions.md is not what condition_list.h says: run `make docs`' >&2; exit 1; }

docs: $(B)/gen-reasons ## Write the generated pages of docs/ anew
	$(call say,GEN,docs/reasons.md)
	$(Q)$(B)/gen-reasons >docs/reasons.md
	$(call say,GEN,docs/policy-codes.md)
	$(Q)$(B)/gen-reasons policy-codes >docs/policy-codes.md
	$(call say,GEN,docs/conditions.md)
	$(Q)$(B)/gen-reasons conditions >docs/conditions.md

format: ## Bring every C file into the project's format
	$(Q)tools/check-format.sh --fix

# ---- programs ---------------------------------------------------------------------

link = $(call say,LINK,$@)
LINK = $(Q)$(CC) $(CFLAGS) $(LDFLAGS) -pie -o $@

$(B)/countersignd: $(call objects,$(call room,agent)) $(ROOMS_LIB)
	$(link)
	$(LINK) $(filter %.o %.a,$^) $(call libs,$(AGENT_PACKAGES))

# From the archive, so that it has only what it uses: no API client, no event loop.
$(B)/countersign: $(call objects,$(call room,cli)) $(ROOMS_LIB)
	$(link)
	$(LINK) $(filter %.o %.a,$^) $(call libs,$(CLI_PACKAGES))

$(B)/gen-reasons: $(call objects,$(wildcard tools/gen-reasons/*.c))
	$(link)
	$(LINK) $(filter %.o,$^)

# $(call helper,program,sources)
define helper
$(B)/$(1): $(call objects,$(2)) $(LAB_LIB) $(ROOMS_LIB) $(SDK_LIB)
	$$(link)
	$$(LINK) $$(filter %.o %.a,$$^) $$(call libs,$$(AGENT_PACKAGES)) -pthread
endef
$(foreach t,$(TOOLS),$(eval $(call helper,$(t),$(wildcard tools/$(t)/*.c))))
$(foreach p,$(LAB_PROGRAMS) $(EXAMPLES),$(eval $(call helper,$(notdir $(basename $(p))),$(p))))
$(foreach p,$(PEER_PROGRAMS) $(KUBE_PROGRAMS),$(eval $(call helper,$(call dashed,$(p)),$(p))))
$(eval $(call helper,fuzz-differential,tests/fuzz/differential.c $(DIFFERENTIAL_SOURCES)))

# ---- tests ------------------------------------------------------------------------

$(B)/test-unit: $(call asan,$(UNIT_SOURCES)) $(UNIT_LIB)
	$(link)
	$(Q)$(CC) $(SANITIZE) -Wl,--as-needed -o $@ $(filter %.o,$^) -lcriterion \
		$(filter %.a,$^) $(call libs,$(AGENT_PACKAGES)) -pthread

# libcriterion stands first because it brings main().
$(B)/test-bpf: $(call objects,$(BPFTEST_SOURCES))
$(B)/test-lab: $(call objects,$(LABTEST_SOURCES))
$(B)/test-kube: $(call objects,$(KUBETEST_SOURCES))
$(B)/test-bpf $(B)/test-lab $(B)/test-kube: $(LAB_LIB) $(ROOMS_LIB) $(SDK_LIB)
	$(link)
	$(LINK) $(filter %.o,$^) -lcriterion $(filter %.a,$^) $(call libs,$(AGENT_PACKAGES)) -pthread

# Clang's own: coverage tells the fuzzer what is new.
FUZZ_FLAGS := -std=gnu11 $(ALIASING) -O1 -g -fno-omit-frame-pointer -MMD -MP \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
fuzz_objects = $(patsubst %.c,$(B)/fuzz/obj/%.o,$(1))

$(FUZZERS): $(B)/fuzz/%: $(B)/fuzz/obj/tests/fuzz/fuzz_%.o \
		$(call fuzz_objects,$(call rooms,$(FUZZ_ROOMS)))
	$(link)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) \
		$(call libs,$(AGENT_PACKAGES))

$(B)/fuzz/obj/%.o: %.c Makefile | toolchain
	$(call say,'CC fuzz',$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) $(CPPFLAGS) -c -o $@ $<

# All in one program when test-unit replays their corpora: each entry has its own name there.
$(call asan,$(FUZZ_SOURCES)): DEFINES = -DLLVMFuzzerTestOneInput=$(basename $(@F))

# ---- libraries --------------------------------------------------------------------

$(ROOMS_LIB): $(call objects,$(TESTED))
$(LAB_LIB): $(call objects,$(LAB_SOURCES))
$(UNIT_LIB): $(call asan,$(UNIT_TESTED))
$(B)/libcountersign.a: $(call objects,$(SDK_SOURCES))

$(ROOMS_LIB) $(LAB_LIB) $(UNIT_LIB) $(B)/libcountersign.a: $(GEN)/sources
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(call objects,$(SDK_SOURCES)): PIE := -fPIC

$(B)/libcountersign.so.0: $(call objects,$(SDK_SOURCES)) $(GEN)/sources
	$(link)
	@printf '{ global: countersign_*; local: *; };\n' >$(GEN)/libcountersign.map
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libcountersign.so.0 -Wl,-z,defs \
		-Wl,--version-script=$(GEN)/libcountersign.map -o $@ $(filter %.o,$^)

$(B)/libcountersign.so: $(B)/libcountersign.so.0
	$(Q)ln -sf $(<F) $@

$(B)/countersign.pc: $(GEN)/version
	$(call say,GEN,$@)
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' '' \
		'Name: countersign' 'Description: Who is at the other end of my connection?' \
		'Version: $(VERSION)' 'Libs: -L$${libdir} -lcountersign' \
		'Cflags: -I$${includedir}' >$@

# ---- objects ----------------------------------------------------------------------

PIE := -fPIE
VERSIONED := $(call rooms,agent cli)
$(call objects,$(VERSIONED)) $(call asan,$(VERSIONED)): $(GEN)/version
$(call objects,$(VERSIONED)) $(call asan,$(VERSIONED)): DEFINES = -DCOUNTERSIGN_VERSION='"$(VERSION)"'

# Before the dependency files exist, whoever may include a skeleton waits for it.
$(call objects,$(call room,datapath) $(BPFTEST_SOURCES) $(LABTEST_SOURCES) $(LAB_SOURCES)): \
	| $(SKELETON) $(TEST_SKELETONS)
$(foreach t,$(TOOLS),$(call objects,$(wildcard tools/$(t)/*.c))): | $(SKELETON)
PROTO_USERS := $(call room,credential) $(wildcard tests/unit/test_credential_*.c) $(FUZZ_SOURCES)
$(foreach kind,objects asan fuzz_objects,$(call $(kind),$(PROTO_USERS))): | $(call protos,credential)

$(B)/obj/%.o: %.c Makefile | toolchain
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) $(HARDENING) $(PIE) $(CPPFLAGS) $(DEFINES) -c -o $@ $<

$(B)/asan/%.o: %.c Makefile | toolchain
	$(call say,'CC asan',$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASAN_FLAGS) $(CPPFLAGS) $(DEFINES) -c -o $@ $<

# ---- BPF --------------------------------------------------------------------------

$(B)/bpf/%.o: bpf/%.bpf.c Makefile | toolchain
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -c -o $@ $<

$(B)/bpf/tests/%.o: tests/bpf/%.bpf.c Makefile | toolchain
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -c -o $@ $<

$(B)/bpf/countersign.bpf.o: $(BPF_OBJECTS) $(GEN)/sources
	$(call say,'BPF link',$@)
	$(Q)$(BPFTOOL) gen object $@ $(filter %.o,$^)

$(B)/bpf/tests/%.bpf.o: $(B)/bpf/tests/%.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(GEN)/countersign.skel.h: $(B)/bpf/countersign.bpf.o
	$(call say,SKELETON,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name countersign_bpf >$@

$(TEST_SKELETONS): $(GEN)/%.skel.h: $(B)/bpf/tests/%.bpf.o
	$(call say,SKELETON,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# ---- protocol buffers -------------------------------------------------------------

$(GEN)/%.pb-c.c $(GEN)/%.pb-c.h: user/credential/%.proto | toolchain
	$(call say,PROTO,$<)
	@mkdir -p $(GEN)
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(GEN) $(<F)

# ---- stamps: rewritten only when their text changes ---------------------------------

.PHONY: toolchain FORCE
toolchain:
	@tools/deps.sh --toolchain $(CC) $(CLANG) $(BPFTOOL) $(PKG_CONFIG)

stamp = @mkdir -p $(@D); cmp -s $@ <(echo '$(1)') || echo '$(1)' >$@

# A removed file leaves its archive too.
$(GEN)/sources: FORCE
	$(call stamp,$(BPF_SOURCES) $(TESTED) $(LAB_SOURCES) $(SDK_SOURCES) $(UNIT_TESTED))

$(GEN)/version: FORCE
	$(call stamp,$(VERSION) $(PREFIX) $(LIBDIR) $(INCLUDEDIR))

# ---- installing -------------------------------------------------------------------

PUBLIC_HEADERS := include/countersign/peer.h

install: programs ## Install below DESTDIR and PREFIX
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(BINDIR) $(SBINDIR) $(LIBDIR)/pkgconfig \
		$(INCLUDEDIR)/countersign $(UNITDIR))
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man1 man/man8 \
		bash-completion/completions)
	$(Q)$(INSTALL) -m 0644 docs/man/countersign.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	$(Q)$(INSTALL) -m 0644 docs/man/countersignd.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	$(Q)$(INSTALL) -m 0644 tools/completion/countersign.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/countersign
	$(Q)$(INSTALL) -d -m 0700 $(DESTDIR)/etc/countersign/manifests
	$(Q)$(INSTALL) -m 0755 $(B)/countersignd $(DESTDIR)$(SBINDIR)/
	$(Q)$(INSTALL) -m 0755 $(B)/countersign $(DESTDIR)$(BINDIR)/
	$(Q)$(INSTALL) -m 0644 $(B)/libcountersign.a $(B)/libcountersign.so.0 $(DESTDIR)$(LIBDIR)/
	$(Q)ln -sf libcountersign.so.0 $(DESTDIR)$(LIBDIR)/libcountersign.so
	$(Q)$(INSTALL) -m 0644 $(B)/countersign.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	$(Q)$(INSTALL) -m 0644 $(PUBLIC_HEADERS) $(DESTDIR)$(INCLUDEDIR)/countersign/
	$(Q)sed -e 's|/usr/local/sbin|$(SBINDIR)|' -e 's|/usr/local/bin|$(BINDIR)|' \
		deploy/countersign.service >$(DESTDIR)$(UNITDIR)/countersign.service

uninstall: ## Remove what install put there; manifests stay
	$(Q)rm -f $(addprefix $(DESTDIR),$(SBINDIR)/countersignd $(BINDIR)/countersign \
		$(LIBDIR)/libcountersign.a $(LIBDIR)/libcountersign.so $(LIBDIR)/libcountersign.so.0 \
		$(LIBDIR)/pkgconfig/countersign.pc $(UNITDIR)/countersign.service \
		$(PREFIX)/share/man/man1/countersign.1 $(PREFIX)/share/man/man8/countersignd.8 \
		$(PREFIX)/share/bash-completion/completions/countersign \
		$(addprefix $(INCLUDEDIR)/countersign/,$(notdir $(PUBLIC_HEADERS))))
	$(Q)rmdir --ignore-fail-on-non-empty $(DESTDIR)$(INCLUDEDIR)/countersign 2>/dev/null || true

-include $(shell [ ! -d $(B) ] || find $(B) -name '*.d')
