# SPDX-License-Identifier: MIT
# make            build/libstarttls.so, build/libstarttls-tls.so, build/starttls (they work in place)
# make demo       everything at once: builds, runs a plaintext mailer through the shim, shows what was on the wire
# make test       every test; ends with "N passed, N failed"
# make asan|ubsan|tsan   the same tests, built with that sanitizer      make fuzz T=60   fuzzers, T seconds each
# make bench      ratios against plain, native TLS and stunnel          make suites      foreign test suites under the preload
# make deb        Debian packages, in build/deb
# make lint format deps install uninstall clean              DESTDIR= PREFIX= LIBDIR= SYSCONFDIR= STATIC_TLS=1 WERROR=1

PREFIX  ?= /usr/local
DESTDIR ?=
LIBDIR  ?= $(PREFIX)/lib
DOCDIR  ?= $(PREFIX)/share/doc/libstarttls
SYSCONFDIR ?= /etc
POLICY   = $(SYSCONFDIR)/starttls/policy
BUILD   ?= build
SAN     ?=
T       ?= 60

CC      ?= gcc
OPT     ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes $(if $(WERROR),-Werror)
HARDEN  := -fstack-protector-strong $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined))
ALLFLAGS = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) $(HARDEN) $(SANFLAG) -fPIC -fvisibility=hidden -fexceptions \
           -ftls-model=initial-exec -DSTARTTLS_LIBDIR='"$(LIBDIR)"' -DPOLICY_SYSTEM_FILE='"$(POLICY)"' -MMD -MP $(CPPFLAGS) $(CFLAGS)
SOFLAGS  = -shared -Wl,-soname,$(@F) $(SANFLAG) -Wl,-z,relro,-z,nodelete $(if $(SAN),,-Wl,-z,defs) $(LDFLAGS)
OBJ     := $(BUILD)/obj

POLICY_LIB := $(filter-out policy/starttls.c $(wildcard policy/cmd_*.c),$(wildcard policy/*.c))
COMMAND    := $(filter-out $(POLICY_LIB),$(wildcard policy/*.c))
FRONT      := $(wildcard shim/front/*.c)
ENGINE     := $(wildcard shim/engine/*.c shim/engine/proto/*.c)
UNIT_TESTS := $(wildcard tests/*_test.c)
LEGACY     := $(wildcard tests/legacy/*.c tests/legacy/*.cc)
FUZZERS    := $(wildcard tests/fuzz/fuzz_*.c)
BENCHES    := $(wildcard tests/bench/*.c)

objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

# A program of our own tests: its one source file and the library of the layer it looks at.
UNIT_BIN   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_TESTS))
LEGACY_BIN := $(patsubst tests/legacy/%,$(BUILD)/tests/legacy/%,$(basename $(LEGACY)))
FUZZ_BIN   := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZERS))
BENCH_BIN  := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCHES))

comma    := ,
# STATIC_TLS=1: an OpenSSL of our own inside the engine, hidden from the host.
SSL_LIBS := $(if $(STATIC_TLS),-Wl$(comma)-Bsymbolic -Wl$(comma)--exclude-libs$(comma)ALL -l:libssl.a -l:libcrypto.a,-lssl -lcrypto)

.PHONY: FORCE oom all demo test asan ubsan tsan fuzz bench suites lint format deps deb install uninstall clean demo-deps test-programs
all: $(BUILD)/libstarttls.so $(BUILD)/libstarttls-tls.so $(BUILD)/starttls

# The places compiled in: other places, other objects.
$(BUILD)/places: FORCE
	@mkdir -p $(@D)
	@echo '$(LIBDIR) $(POLICY)' | cmp -s - $@ || echo '$(LIBDIR) $(POLICY)' >$@
FORCE:

$(OBJ)/%.o: %.c $(BUILD)/places
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -c -o $@ $<

$(BUILD)/libpolicy.a: $(call objects,$(POLICY_LIB))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libengine.a: $(call objects,$(ENGINE))
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/libfront.a: $(call objects,$(FRONT))
	@rm -f $@
	$(AR) rcs $@ $^

# libc only: what is in every process must cost next to nothing. So its 130 symbols are looked up at their first call, which most processes never
# make. (What RELRO could protect here, function pointers, is patched at run time anyway: real.h.)
$(BUILD)/libstarttls.so: $(call objects,$(FRONT)) $(BUILD)/libpolicy.a shim/front/libstarttls.map
	$(CC) $(SOFLAGS) -Wl,-z,lazy -Wl,--version-script=shim/front/libstarttls.map -o $@ $(call objects,$(FRONT)) $(BUILD)/libpolicy.a

$(BUILD)/libstarttls-tls.so: $(call objects,$(ENGINE)) $(BUILD)/libpolicy.a
	$(CC) $(SOFLAGS) -Wl,-z,now -o $@ $(call objects,$(ENGINE)) $(BUILD)/libpolicy.a $(SSL_LIBS) -lpthread

$(BUILD)/starttls: $(call objects,$(COMMAND)) $(BUILD)/libpolicy.a
	$(CC) $(SANFLAG) -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^

# --- test programs
test-programs: $(BUILD)/tests/oom.so $(BUILD)/tests/unsafe.so $(UNIT_BIN) $(LEGACY_BIN) $(BUILD)/tests/peer $(BUILD)/tests/certs/good.pem

$(BUILD)/tests/certs/good.pem: tests/certs
	tests/certs $(@D)

$(BUILD)/tests/peer: $(call objects,$(wildcard tests/peer*.c))
	@mkdir -p $(@D)
	$(CC) $(SANFLAG) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lpthread

# Allocators to be preloaded: no sanitizer, whose own they would fight.
$(BUILD)/tests/%.so: tests/%.c
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -fPIC -shared -o $@ $<

TEST_LIBS = $(filter %.a,$^)
$(BUILD)/tests/%_test: tests/%_test.c $(wildcard tests/*.h) $(BUILD)/libengine.a $(BUILD)/libfront.a $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -Ishim -Ishim/engine -Ishim/front -Ipolicy -o $@ $< $(TEST_LIBS) -lssl -lcrypto -lpthread

# A sanitizer's runtime, which the linker sees first, has a read() too: by themselves our hooks would not be taken from the archive then.
$(BUILD)/tests/hook_test $(BUILD)/tests/wait_test: TEST_LIBS = -Wl,--whole-archive $(BUILD)/libfront.a -Wl,--no-whole-archive $(BUILD)/libpolicy.a

# Old programs: built as their packager would, fortified, and against no library of ours.
$(BUILD)/tests/legacy/%: tests/legacy/%.c tests/legacy/legacy.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE $(if $(filter thread,$(SAN)),$(SANFLAG),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) -o $@ $< $(LEGACY_LIBS) -lpthread

$(BUILD)/tests/legacy/own_tls: LEGACY_LIBS := -lssl -lcrypto

$(BUILD)/tests/legacy/%: tests/legacy/%.cc tests/legacy/legacy.h
	@mkdir -p $(@D)
	g++ -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $<

$(BUILD)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h)
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $< -lssl -lcrypto -lpthread

$(BUILD)/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(POLICY_LIB) $(ENGINE)
	@mkdir -p $(@D)
	clang -std=gnu11 -O1 -g -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	  -iquote shim -iquote shim/engine -iquote policy -o $@ $< $(POLICY_LIB) $(ENGINE) -lssl -lcrypto -lpthread

deps:
	@tests/deps

demo: demo-deps all $(BUILD)/tests/peer $(BUILD)/tests/legacy/mailer $(BUILD)/tests/certs/good.pem
	@tests/demo
demo-deps:
	@tests/deps build

test: all test-programs
	@tests/deps
	@BUILD=$(BUILD) SAN=$(SAN) tests/run

# The runtime is loaded ahead of the shim into programs that were built without it; tests/helper.bash knows how.
asan:
	@$(MAKE) BUILD=build/asan SAN=address test
ubsan:
	@$(MAKE) BUILD=build/ubsan SAN=undefined test
tsan:
	@$(MAKE) BUILD=build/tsan SAN=thread test

# Each fuzzer for T seconds over its corpus (tests/fuzz/corpus/NAME); what it finds stays in build/fuzz.
fuzz: $(FUZZ_BIN)
	@for f in $(FUZZ_BIN); do \
	  name=$${f##*/fuzz_}; mkdir -p build/fuzz/found/$$name build/fuzz/new/$$name; \
	  echo "fuzz $$name, $(T) seconds"; \
	  $$f -max_total_time=$(T) -timeout=25 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
	    -artifact_prefix=build/fuzz/found/$$name/ build/fuzz/new/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

# Every single allocation of a session fails once (make test: a sample of those that are OpenSSL's own start).
oom: all test-programs
	@OOM_STEP=1 BATS_TEST_TIMEOUT=3000 tests/run oom.bats

bench: all $(BENCH_BIN)
	tests/bench/run

suites: all $(BUILD)/tests/certs/good.pem $(BUILD)/suites/forward $(BUILD)/suites/turn.so
	BUILD=$(BUILD) tests/suites/run

$(BUILD)/suites/forward: tests/suites/forward.c tests/suites/turn.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $< -lssl -lcrypto -lpthread

$(BUILD)/suites/turn.so: tests/suites/turn.c tests/suites/turn.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -fPIC -shared -o $@ $< -ldl

SCRIPTS = .ci/run $(shell grep -lE '^\#!.*(bash|sh|bats)' $$(git ls-files tests policy 2>/dev/null) /dev/null | sort)
# Left out: what bats and sourced helpers do by design (a test is a subshell; its variables are read elsewhere), and programs in quotes.
lint:
	tests/lint-layers
	shellcheck -x -P SCRIPTDIR -e SC2016,SC2030,SC2031,SC2034 $(SCRIPTS) $(wildcard tests/*.bash tests/servers/*.bash)
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=allocaCalled -D_GNU_SOURCE -j2 shim policy

format:
	clang-format -i $(shell git ls-files '*.c' '*.h')

deb:
	@tests/deps deb
	policy/debian/build $(BUILD)/deb

MANPAGES = policy/starttls.1 policy/starttls-policy.5 shim/front/libstarttls.8
COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/starttls
# A policy that is there is the administrator's. The loader finds libraries by name alone once ldconfig has seen them.
install: all
	install -d $(DESTDIR)$(LIBDIR) $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(DOCDIR)/examples $(DESTDIR)$(POLICY).d
	install -m 644 $(BUILD)/libstarttls.so $(BUILD)/libstarttls-tls.so $(DESTDIR)$(LIBDIR)
	install -m 755 $(BUILD)/starttls $(DESTDIR)$(PREFIX)/bin
	install -D -m 644 policy/starttls.bash $(COMPLETION)
	install -m 644 policy/default.policy policy/examples/*.policy $(DESTDIR)$(DOCDIR)/examples
	for page in $(MANPAGES); do \
	  install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done
	[ -e $(DESTDIR)$(POLICY) ] || install -m 644 policy/default.policy $(DESTDIR)$(POLICY)
	$(if $(DESTDIR),,-ldconfig)

# What install has put, but no policy that somebody has written. Not under programs that need it: they would go on in plaintext.
uninstall:
	@! grep -s libstarttls $(DESTDIR)/etc/ld.so.preload || { echo "first take that line out of $(DESTDIR)/etc/ld.so.preload"; exit 1; }
	! cmp -s policy/default.policy $(DESTDIR)$(POLICY) || rm $(DESTDIR)$(POLICY)
	rm -f $(DESTDIR)$(LIBDIR)/libstarttls.so $(DESTDIR)$(LIBDIR)/libstarttls-tls.so $(DESTDIR)$(PREFIX)/bin/starttls $(COMPLETION)
	for page in $(MANPAGES); do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done
	rm -rf $(DESTDIR)$(DOCDIR)
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)$(POLICY).d $(dir $(DESTDIR)$(POLICY))
	$(if $(DESTDIR),,-ldconfig)

clean:
	rm -rf build

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
