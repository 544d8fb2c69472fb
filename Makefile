# SPDX-License-Identifier: MIT
# make            build/libstarttls.so, build/libstarttls-tls.so, build/starttls (they work in place)
# make demo       everything at once: builds, runs a plaintext mailer through the shim, shows what was on the wire
# make test       every test; ends with "N passed, N failed"
# make asan|ubsan|tsan   the same tests, built with that sanitizer      make fuzz T=60   fuzzers, T seconds each
# make bench      ratios against plain, native TLS and stunnel          make suites      foreign test suites under the preload
# make lint format deps install uninstall clean                         DESTDIR= PREFIX= STATIC_TLS=1 WERROR=1

PREFIX  ?= /usr/local
DESTDIR ?=
LIBDIR  ?= $(PREFIX)/lib
BUILD   ?= build
SAN     ?=
T       ?= 60

CC      ?= gcc
OPT     ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wstrict-prototypes $(if $(WERROR),-Werror)
HARDEN  := -fstack-protector-strong $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
SANFLAG := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined))
ALLFLAGS = -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) $(HARDEN) $(SANFLAG) -fPIC -fvisibility=hidden -fexceptions \
           -ftls-model=initial-exec -DSTARTTLS_LIBDIR='"$(LIBDIR)"' -MMD -MP $(CPPFLAGS) $(CFLAGS)
SOFLAGS  = -shared $(SANFLAG) -Wl,-z,relro,-z,now,-z,nodelete $(if $(SAN),,-Wl,-z,defs) $(LDFLAGS)
OBJ     := $(BUILD)/obj

POLICY_LIB := $(filter-out policy/starttls.c policy/elf.c $(wildcard policy/cmd_*.c),$(wildcard policy/*.c))
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

.PHONY: all demo test asan ubsan tsan fuzz bench suites lint format deps install uninstall clean check-deps test-programs
all: $(BUILD)/libstarttls.so $(BUILD)/libstarttls-tls.so $(BUILD)/starttls

$(OBJ)/%.o: %.c
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

# libc only: what is in every process must cost next to nothing.
$(BUILD)/libstarttls.so: $(call objects,$(FRONT)) $(BUILD)/libpolicy.a shim/front/libstarttls.map
	$(CC) $(SOFLAGS) -Wl,--version-script=shim/front/libstarttls.map -o $@ $(call objects,$(FRONT)) $(BUILD)/libpolicy.a

$(BUILD)/libstarttls-tls.so: $(call objects,$(ENGINE)) $(BUILD)/libpolicy.a
	$(CC) $(SOFLAGS) -o $@ $(call objects,$(ENGINE)) $(BUILD)/libpolicy.a $(SSL_LIBS) -lpthread

$(BUILD)/starttls: $(call objects,$(COMMAND)) $(BUILD)/libpolicy.a
	$(CC) $(SANFLAG) -Wl,-z,relro,-z,now $(LDFLAGS) -o $@ $^

# --- test programs
test-programs: $(UNIT_BIN) $(LEGACY_BIN) $(BUILD)/tests/peer $(BUILD)/tests/certs/good.pem

$(BUILD)/tests/certs/good.pem: tests/certs
	tests/certs $(@D)

$(BUILD)/tests/peer: $(call objects,$(wildcard tests/peer*.c))
	@mkdir -p $(@D)
	$(CC) $(SANFLAG) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lpthread

$(BUILD)/tests/%_test: tests/%_test.c $(BUILD)/libengine.a $(BUILD)/libfront.a $(BUILD)/libpolicy.a
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -Ishim -Ishim/engine -Ishim/front -Ipolicy -o $@ $< $(filter %.a,$^) -lssl -lcrypto -lpthread

# Old programs: built as their packager would, fortified, and against no library of ours.
$(BUILD)/tests/legacy/%: tests/legacy/%.c tests/legacy/legacy.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE $(if $(filter thread,$(SAN)),$(SANFLAG),-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) -o $@ $< -lpthread

$(BUILD)/tests/legacy/%: tests/legacy/%.cc tests/legacy/legacy.h
	@mkdir -p $(@D)
	g++ -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $<

$(BUILD)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h)
	@mkdir -p $(@D)
	gcc -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -o $@ $< -lssl -lcrypto -lpthread

$(BUILD)/fuzz/%: tests/fuzz/%.c $(POLICY_LIB) $(ENGINE)
	@mkdir -p $(@D)
	clang -std=gnu11 -O1 -g -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
	  -Ishim -Ishim/engine -Ipolicy -o $@ $< $(POLICY_LIB) $(ENGINE) -lssl -lcrypto -lpthread

deps:
	@tests/deps

test: all test-programs
	@tests/deps
	@BUILD=$(BUILD) SAN=$(SAN) tests/run

bench: all $(BENCH_BIN)
	tests/bench/run

clean:
	rm -rf build

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
