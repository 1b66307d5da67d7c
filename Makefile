# Holdfast: the hypervisor, its guests' images, and its tests.
#
#   make            build/arm64/holdfast.bin (Linux Image format) and holdfast.elf
#   make run        boots it under U-Boot in QEMU with two Debian guests
#   make test       unit tests, lint, system tests
#   make help       every target and variable

ARCH ?= arm64
DEBUG ?= 1
VERSION := 0.1

# ARCH, DEBUG and LLVM each have their own output, so that builds do not mix.
B := build/$(ARCH)$(if $(filter 0,$(DEBUG)),-release)$(if $(LLVM),-llvm)
F := build/fetched
PYTHON := /usr/bin/python3

ifeq ($(V),1)
    Q :=
    say = @:
else
    Q := @
    say = @printf '  %-7s %s\n'
endif

.PHONY: all
all: $(B)/holdfast.bin $(B)/holdfast.elf

.DELETE_ON_ERROR:
.SUFFIXES:
# Made on the way to something else; whatever else is missing is made again.
.PRECIOUS: build/guests/%.o $(F)/%/.complete build/setup-%.mk
MAKEFLAGS += --no-builtin-rules

# --- what the machine must have ---------------------------------------------

# An included file that does not exist is made first, then make starts again:
# the compiler is there before its flags are asked for.
ifneq ($(filter-out clean distclean help,$(or $(MAKECMDGOALS),all)),)
    include build/setup-build.mk
endif

ifeq ($(ARCH),arm32)
    include build/setup-arm32.mk
endif

# SETUP=: where a package builder has seen to it.
SETUP ?= scripts/setup.sh

build/setup-%.mk: scripts/setup.sh
	@mkdir -p $(@D)
	@$(SETUP) $*
	@echo '# the packages for "$*" were installed' >$@

$(F)/%/.complete:
	@$(SETUP) fetch $*

# --- the toolchain ----------------------------------------------------------

have = $(shell command -v $(1) 2>/dev/null)
ifeq ($(ARCH),arm64)
    CROSS_COMPILE ?= $(if $(call have,aarch64-none-elf-gcc),aarch64-none-elf-,aarch64-linux-gnu-)
    LLVM_TARGET := aarch64-none-elf
    ARCH_CFLAGS := -mgeneral-regs-only -mno-outline-atomics -mstrict-align -mbranch-protection=standard
else ifeq ($(ARCH),arm32)
    CROSS_COMPILE ?= arm-linux-gnueabihf-
    LLVM_TARGET := armv7a-none-eabi
    ARCH_CFLAGS := -march=armv7ve -marm -mfloat-abi=soft -mno-unaligned-access
else
    $(error ARCH=$(ARCH) is not known)
endif
CROSS_COMPILE := $(CROSS_COMPILE)

ifdef LLVM
    CC := clang --target=$(LLVM_TARGET)
    LD := ld.lld
else
    CC := $(CROSS_COMPILE)gcc
    LD := $(CROSS_COMPILE)ld
    WARN_LD := --no-warn-rwx-segments
endif
NM := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
CC_INCLUDE := $(shell $(CC) -print-file-name=include 2>/dev/null)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Werror
INCLUDES := -Iinclude -Iinclude/libfdt -Iarch/$(ARCH)/include -Iarch/arm/include -I$(B)/include \
    -isystem build/include -isystem build/libfdt -isystem build/zlib \
    -isystem $(CC_INCLUDE)
COMMON_CFLAGS := -std=gnu11 -g -ffreestanding -nostdinc -fno-common -fno-strict-aliasing \
    -fno-pic -no-pie -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
    -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=. $(ARCH_CFLAGS) \
    $(if $(LLVM),-Wno-unused-command-line-argument) \
    $(if $(filter 0,$(DEBUG)),,-DHF_DEBUG=1)
CFLAGS := $(COMMON_CFLAGS) $(WARNINGS) $(INCLUDES) $(EXTRA_CFLAGS)
LIB_CFLAGS := $(COMMON_CFLAGS) -w $(INCLUDES) -DZ_SOLO
# For size, but for what guests wait for: the paths of tests/bench.
FAST := $(addprefix common/mm/,fresh.o heap.o p2m.o p2m_map.o p2m_pool.o p2m_populate.o p2m_unmap.o \
        page_owner.o page_ref.o pt.o pt_page.o) \
    $(addprefix common/core/,cpus.o iommu.o iommu_mirror.o irq.o softirq.o timer.o) \
    $(addprefix common/lib/,fdt.o ratelimit.o string.o) \
    $(addprefix common/virt/,domain.o guest_copy.o mmio.o runqueue.o sched.o smccc.o vgic% vpl011.o \
        vpsci.o vtimer.o) \
    $(addprefix common/abi/,evtchn% event% grant% hypercall.o maptrack.o memory_op.o multicall.o \
        physmap.o policy.o reservation.o version.o) \
    $(addprefix arch/arm/,entry/trap_common.o guest/fault.o guest/idregs.o guest/last_ran.o guest/sysreg.o \
        guest/thread.o guest/wfx.o) \
    $(addprefix arch/$(ARCH)/,entry/trap.o guest/context.o guest/inject.o guest/vsysreg.o) \
    drivers/gic/% drivers/smmu/cmdq.o zlib/inffast.o
# A boot looks much up in device trees: with -Os here it takes a quarter more instructions.
FASTEST := libfdt/fdt.o libfdt/fdt_ro.o
object = $(patsubst $(B)/%,%,$@)
SPEED = $(if $(filter $(FASTEST),$(object)),-O3,$(if $(filter $(FAST),$(object)),-O2,-Os))
# The words below return addresses (docs/security.md): below every array they cost up to 30 % on the fast paths.
IS_FAST = $(filter $(FAST) $(FASTEST),$(object))
HARDEN = $(if $(IS_FAST),-fstack-protector,-fstack-protector-strong)
LDFLAGS := --gc-sections -z max-page-size=4096 -z noexecstack --build-id=sha1 $(WARN_LD)

# --- objects ----------------------------------------------------------------

DIRS := $(patsubst %/objs.mk,%,$(wildcard $(addsuffix /objs.mk, \
    common/lib common/mm common/core common/virt common/abi common/boot \
    drivers/smmu drivers/gic drivers/uart drivers/pci \
    arch/arm/cpu arch/arm/guest arch/arm/entry \
    arch/$(ARCH)/entry arch/$(ARCH)/cpu arch/$(ARCH)/guest)))

OBJS :=
define add_directory
    obj-y :=
    include $(1)/objs.mk
    OBJS += $$(addprefix $(B)/$(1)/,$$(obj-y))
endef
$(foreach dir,$(DIRS),$(eval $(call add_directory,$(dir))))

FDT_OBJS := $(addprefix $(B)/libfdt/,fdt.o fdt_ro.o fdt_rw.o fdt_wip.o fdt_sw.o \
    fdt_strerror.o fdt_addresses.o fdt_empty_tree.o)
ZLIB_OBJS := $(addprefix $(B)/zlib/,inflate.o inftrees.o inffast.o adler32.o crc32.o zutil.o)
ALL_OBJS := $(OBJS) $(FDT_OBJS) $(ZLIB_OBJS)

# A stamp holds what the objects depend on besides files: it changes, and they
# are built again, only when its text does.
define stamp
    @mkdir -p $(@D)
    @echo '$(1)' | cmp -s - $@ || echo '$(1)' >$@
endef

.PHONY: FORCE
FORCE:

$(B)/.flags: FORCE
	$(call stamp,$(shell $(CC) --version 2>/dev/null | head -n 1) $(CC) $(CFLAGS) $(LDFLAGS) $(FAST))

# The name of the build, seen by one file only: a commit rebuilds nothing else.
GIT_NAME := $(shell git describe --always --dirty 2>/dev/null)
HF_VERSION := $(VERSION)$(if $(GIT_NAME),-$(GIT_NAME))
$(B)/.version: FORCE
	$(call stamp,$(HF_VERSION))
$(B)/common/boot/main.o: $(B)/.version
$(B)/common/boot/main.o: CFLAGS += -DHF_VERSION='"$(HF_VERSION)"'

HEADERS := build/include/.complete build/libfdt/.complete build/zlib/.complete

$(B)/%.o: %.c $(B)/.flags | $(HEADERS)
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SPEED) $(HARDEN) -MMD -MP -c -o $@ $<

$(B)/%.o: %.S $(B)/.flags $(B)/include/asm/offsets.h | $(HEADERS)
	$(say) AS $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# --- headers and libraries from packages ------------------------------------

build/include/.complete: build/setup-build.mk
	@mkdir -p $(@D)
	@rm -rf $(@D)/xen && cp -R /usr/include/xen $(@D)/xen
	@touch $@

# Without its libfdt_env.h: ours, in include/libfdt, is taken instead.
build/libfdt/.complete: $(F)/libfdt/.complete
	@mkdir -p $(@D)
	@cp $(F)/libfdt/*.[ch] $(@D) && rm $(@D)/libfdt_env.h
	@touch $@

build/zlib/.complete: $(F)/zlib/.complete
	@mkdir -p $(@D)
	@cp $(F)/zlib/*.[ch] $(@D)
	@touch $@

define build_library_object
	$(say) CC $(1)/$*.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIB_CFLAGS) $(SPEED) $(HARDEN) -MMD -MP -c -o $@ build/$(1)/$*.c
endef
$(FDT_OBJS): $(B)/libfdt/%.o: $(B)/.flags build/libfdt/.complete
	$(call build_library_object,libfdt)
$(ZLIB_OBJS): $(B)/zlib/%.o: $(B)/.flags build/zlib/.complete
	$(call build_library_object,zlib)

# --- structure offsets for assembly -----------------------------------------

OFFSETS_C := arch/arm/cpu/offsets.c

# The compiler's output has lines .ascii "->NAME VALUE".
$(B)/include/asm/offsets.h: $(OFFSETS_C) $(B)/.flags | $(HEADERS)
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -MT $@ -MF $(B)/include/asm/offsets.d -S -o $(B)/offsets.s $<
	$(Q){ echo '/* Made from $<. */'; \
	    sed -n 's/^.*"->\([A-Z0-9_a-z]*\) [#$$]*\(-*[0-9]*\).*/#define \1 \2/p' $(B)/offsets.s; } >$@.new
	@cmp -s $@.new $@ && rm $@.new && touch $@ || mv $@.new $@

# --- the image --------------------------------------------------------------

$(B)/hv.lds: arch/arm/entry/hv.lds.S $(B)/.flags | $(HEADERS)
	$(say) LDS $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -D__ASSEMBLY__ -MMD -MP -MT $@ -MF $@.dep -E -P -x assembler-with-cpp -o $@ $<

# The symbol table lies inside the image whose symbols it lists: the first
# link has an empty one, the second one of the right size, the third the
# right addresses. A fourth listing proves that nothing moved any more.
$(B)/holdfast.elf: $(ALL_OBJS) $(B)/hv.lds scripts/symbols.py
	$(say) LINK $@
	$(Q)scripts/link.sh $(B) '$(NM)' '$(CC) $(CFLAGS)' \
	    $(LD) $(LDFLAGS) -T $(B)/hv.lds $(ALL_OBJS)

$(B)/holdfast.bin: $(B)/holdfast.elf
	$(say) OBJCOPY $@
	$(Q)$(OBJCOPY) -O binary $< $@

-include $(ALL_OBJS:.o=.d) $(B)/include/asm/offsets.d $(B)/hv.lds.dep

# --- running ----------------------------------------------------------------

KERNEL := $(F)/kernel/Image
KERNEL_BACKPORTS := $(F)/kernel-backports/Image
INITRD := build/images/initrd.gz

$(KERNEL): $(F)/kernel/.complete ;
$(KERNEL_BACKPORTS): $(F)/kernel-backports/.complete ;

$(INITRD): scripts/mkinitrd.sh $(F)/busybox/.complete build/setup-run.mk
	$(say) INITRD $@
	@scripts/mkinitrd.sh $(F)/busybox/bin/busybox $@

# For guests with a disk and a network card of their own: Debian's modules, in the order of insmod.
INITRD_DEVICES := build/images/initrd-devices.gz
DEVICE_MODULES := crypto/crct10dif_common lib/crc-t10dif lib/crc64 lib/crc64-rocksoft block/t10-pi \
    drivers/nvme/host/nvme-core drivers/nvme/host/nvme drivers/net/ethernet/intel/e1000e/e1000e \
    drivers/i2c/algos/i2c-algo-bit drivers/net/ethernet/intel/igb/igb

$(INITRD_DEVICES): scripts/mkinitrd.sh $(F)/busybox/.complete $(F)/kernel/.complete build/setup-run.mk Makefile
	$(say) INITRD $@
	@scripts/mkinitrd.sh $(F)/busybox/bin/busybox $@ \
	    $(foreach m,$(DEVICE_MODULES),$(wildcard $(F)/kernel/lib/modules/*/kernel/$(m).ko))

# The guests' RAM disk with stress-ng: Linux unpacks one archive after the other.
INITRD_STRESS := build/images/initrd-stress.gz
$(INITRD_STRESS): $(INITRD) $(F)/stress-ng/.complete
	$(say) INITRD $@
	@(cd $(F)/stress-ng && find usr lib | LC_ALL=C sort | \
	    cpio --quiet --create --format=newc --owner=0:0 --reproducible) | gzip -9n >$@.new
	@cat $(INITRD) $@.new >$@ && rm $@.new

# The 32-bit guests' kernel and RAM disk.
KERNEL_ARMHF := $(F)/armhf/zImage
INITRD_ARMHF := build/images/initrd-armhf.gz
$(KERNEL_ARMHF): $(F)/armhf/.complete ;
$(INITRD_ARMHF): scripts/mkinitrd.sh $(F)/armhf/.complete build/setup-run.mk
	$(say) INITRD $@
	@scripts/mkinitrd.sh $(F)/armhf/bin/busybox $@

# The guests' RAM disk with Debian's Xen devices for programs, and a program that uses them.
INITRD_PEERS := build/images/initrd-peers.gz
PEERS := build/guests/linux/bin/peers
PEERS_ARMHF := build/guests/a32/linux/bin/peers
XEN_MODULES := xen-evtchn xen-gntalloc xen-gntdev

$(PEERS): compiler = $(CROSS_COMPILE)gcc
$(PEERS_ARMHF): compiler = arm-linux-gnueabihf-gcc
$(PEERS_ARMHF): build/setup-arm32.mk
$(PEERS) $(PEERS_ARMHF): tests/guests/linux/peers.c build/setup-test.mk
	$(say) GUEST $@
	@mkdir -p $(@D)
	$(Q)$(compiler) -std=gnu11 -O2 -Wall -Wextra -Werror -static -o $@ $<

# $(1): where busybox and the kernel's modules are, $(2): the program.
define initrd_peers
	$(say) INITRD $@
	@scripts/mkinitrd.sh $(F)/$(firstword $(1))/bin/busybox $@ \
	    $(foreach m,$(XEN_MODULES),$(wildcard $(F)/$(lastword $(1))/lib/modules/*/kernel/drivers/xen/$(m).ko))
	@(cd $(2:bin/peers=) && echo bin/peers | \
	    cpio --quiet --create --format=newc --owner=0:0 --reproducible) | gzip -9n >>$@
endef
$(INITRD_PEERS): scripts/mkinitrd.sh $(PEERS) $(F)/busybox/.complete $(F)/kernel/.complete
	$(call initrd_peers,busybox kernel,$(PEERS))

# The 32-bit guests' with devices and with peers.
INITRDS_ARMHF := $(addprefix build/images/initrd-,armhf.gz devices-armhf.gz peers-armhf.gz)
build/images/initrd-devices-armhf.gz: scripts/mkinitrd.sh $(F)/armhf/.complete build/setup-run.mk Makefile
	$(say) INITRD $@
	@scripts/mkinitrd.sh $(F)/armhf/bin/busybox $@ \
	    $(foreach m,$(DEVICE_MODULES),$(wildcard $(F)/armhf/lib/modules/*/kernel/$(m).ko))
build/images/initrd-peers-armhf.gz: scripts/mkinitrd.sh $(PEERS_ARMHF) $(F)/armhf/.complete build/setup-run.mk
	$(call initrd_peers,armhf armhf,$(PEERS_ARMHF))

# HV_BOOTARGS= is Holdfast's command line, QEMU_FLAGS= adds to QEMU's, PROFILE= names a machine in dts/.
HV_BOOTARGS ?=
PROFILE ?= $(if $(filter arm32,$(ARCH)),linux-arm32,linux)
RUN_FILES := $(KERNEL) $(INITRD)
ifeq ($(PROFILE),linux-arm32)
    RUN_FILES := $(KERNEL_ARMHF) $(INITRD_ARMHF)
endif
ifeq ($(PROFILE),passthrough)
    RUN_FILES := $(KERNEL) $(INITRD_DEVICES) build/images/nvme.img
endif
# The examples' bare-metal guests.
RUN_FILES += $(shell sed -n 's|.*\.\./\(build/guests/[a-z]*\.bin\).*|\1|p' dts/$(PROFILE).yaml 2>/dev/null)

build/images/nvme.img:
	@mkdir -p $(@D)
	@truncate -s 256M $@

.PHONY: run
run: build/setup-run.mk $(B)/holdfast.bin $(RUN_FILES)
	@scripts/holdfast-image dts/$(PROFILE).yaml run build/images/run.img \
	    --set holdfast=$(CURDIR)/$(B)/holdfast.bin --set bootargs='$(HV_BOOTARGS)' -- $(QEMU_FLAGS)

# --- testing ----------------------------------------------------------------

# First all that needs no machine but the bench's, beside each other with -j; the first that fails ends it.
.PHONY: test
test: build/setup-test.mk
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory -O MODEL_SEED=1 unit tools model fuzz lint bench-gate system-files
	@$(MAKE) --no-print-directory system
	$(if $(TESTS),,@tests/matrix.py $(ARCH) && tests/schema.py && tests/quotes.py)

# Unit tests run on the host, once with the words of arm64 and once with those of arm32. Each
# tests/unit/test_X.c names what it links on a line "/* SOURCES: common/lib/fdt.c ... */"; one that
# says "/* ARCH: arm64 */" is of that architecture alone.
HOST_CC := gcc
ifeq ($(ARCH),arm32)
    U := build/unit-arm32
    HOST_LIBS := $(F)/i386
    # The asm/ of the kernel's headers; 64-bit members are aligned as on Arm.
    HOST_WIDTH := -m32 -malign-double -idirafter /usr/include/$(shell gcc -print-multiarch 2>/dev/null) \
        -Wno-overflow -L$(HOST_LIBS) -Wl,-rpath,$(CURDIR)/$(HOST_LIBS)
else
    U := build/unit
endif
HOST_CFLAGS := $(HOST_WIDTH) -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer -DHF_HOST_TEST=1 -DHF_DEBUG=1 -Wall -Wextra -Werror \
    -Itests/fake/include -Itests/unit -Iinclude -Iarch/$(ARCH)/include -Iarch/arm/include -isystem build/include

UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(shell grep -L '/\* ARCH: $(filter-out $(ARCH),arm64 arm32) ' \
    $(wildcard tests/unit/test_*.c)))

$(U)/%.o: %.c $(U)/.flags | build/include/.complete build/setup-test.mk $(HOST_LIBS:%=%/.complete)
	$(say) HOSTCC $<
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

$(U)/.flags: FORCE
	$(call stamp,$(HOST_CC) $(HOST_CFLAGS))

ifneq ($(filter unit unit-% model $(U)/%,$(MAKECMDGOALS)),)
define unit_test
    $(1)_OBJS := $$(patsubst %.c,$(U)/%.o,tests/unit/$(1).c \
        $$(shell sed -n 's|.*/\* SOURCES: *\(.*[^ ]\) *\*/.*|\1|p' tests/unit/$(1).c))
    $(U)/$(1): $$($(1)_OBJS)
	$$(say) LINK $$@
	$$(Q)$(HOST_CC) $(HOST_CFLAGS) -o $$@ $$($(1)_OBJS) -lcmocka -lfdt -lz
    -include $$($(1)_OBJS:.o=.d)
endef
$(foreach name,$(UNIT_TESTS),$(eval $(call unit_test,$(name))))
endif

$(U)/%.passed: $(U)/%
	$(say) TEST $*
	@$< >$<.log 2>&1 || { cat $<.log; echo "FAILED: $*"; exit 1; }
	@touch $@

.PHONY: unit unit-width
unit: unit-width build/tools/holdfast-check
ifeq ($(ARCH)-$(shell uname -m),arm64-x86_64)
	@$(MAKE) --no-print-directory ARCH=arm32 unit-width
endif
unit-width: $(UNIT_TESTS:%=$(U)/%.passed)
	@cat $(UNIT_TESTS:%=$(U)/%.log) /dev/null | \
	    awk '/\[  PASSED  \]/ { n += $$4 } END { print n + 0 " unit tests passed with $(ARCH)" }'

# The hypervisor's reading of a device tree, as a program: holdfast-image --check runs it.
CHECK := build/tools/holdfast-check
CHECK_CFLAGS := -std=gnu11 -g -O1 -DHF_HOST_TEST=1 -Wall -Wextra -Werror \
    -Itools/check/include -Itests/fake/include -Iinclude -Iarch/arm64/include -Iarch/arm/include -isystem build/include
CHECK_SOURCES := $(wildcard tools/check/*.c) $(addprefix common/boot/, guests.c guest_config.c \
    boot_summary.c guest_devices.c guest_fdt.c guest_layout.c guest_sched.c builder.c modules.c static_mem.c \
    static_shm.c shm_map.c static_evtchn.c cpupools.c boot_mem_fdt.c image.c image_load.c \
    partial_tree.c) common/lib/fdt.c common/lib/spinlock.c common/mm/boot_mem.c \
    common/core/cmdline.c common/core/iommu_fdt.c common/core/irq.c common/abi/policy.c common/virt/passthrough.c \
    drivers/pci/pci.c drivers/pci/pci_fdt.c
$(CHECK): $(CHECK_SOURCES) $(wildcard include/hv/*.h tools/check/*.h tools/check/include/asm/*.h) \
    | build/include/.complete build/setup-test.mk
	$(say) HOSTCC $@
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_FLAGS) $(CHECK_CFLAGS) -o $@ $(CHECK_SOURCES) -lfdt -lz

# How the machine of `make run` would start, without one.
.PHONY: check
check: $(B)/holdfast.bin $(CHECK) $(RUN_FILES)
	@scripts/holdfast-image dts/$(PROFILE).yaml check

# holdfast-image and holdfast-dt, without a machine.
.PHONY: tools
tools: build/setup-test.mk $(CHECK)
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -q --tb=short tests/tools

# The same tests once more, counting which lines of common/ and drivers/smmu they run.
.PHONY: coverage
coverage: build/setup-test.mk
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@rm -f build/coverage/*.passed
	@$(MAKE) --no-print-directory U=build/coverage unit-width \
	    HOST_CFLAGS='$(filter-out -O1 -fsanitize% -fno-sanitize%,$(HOST_CFLAGS)) -O0 --coverage -Wl,-u,__gcov_dump'
	@$(PYTHON) tests/coverage/table.py build/coverage

# What guests and device trees make, at random (libFuzzer). T= seconds for each target, or FUZZ_RUNS=
# inputs, the same ones each time; FUZZ= selects. What is found is kept in build/fuzz.
Z := build/fuzz
FUZZ ?= $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_RUNS ?= $(if $(T),-1,3000)
FUZZ_CFLAGS := $(filter-out -Werror,$(HOST_CFLAGS)) -fno-sanitize=alignment -Wno-unused-function \
    -Wno-unused-variable

$(Z)/%.o: %.c $(Z)/.flags | build/include/.complete build/setup-test.mk
	$(say) FUZZCC $<
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(Z)/.flags: FORCE
	$(call stamp,$(FUZZ_CFLAGS))

ifneq ($(filter fuzz $(Z)/%,$(MAKECMDGOALS)),)
define fuzz_target
    $(1)_OBJS := $$(patsubst %.c,$(Z)/%.o,tests/fuzz/fuzz_$(1).c \
        $$(shell sed -n 's|.*/\* SOURCES: *\(.*[^ ]\) *\*/.*|\1|p' tests/fuzz/fuzz_$(1).c))
    $(Z)/fuzz_$(1): $$($(1)_OBJS)
	$$(say) LINK $$@
	$$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $$@ $$($(1)_OBJS) -lcmocka -lfdt -lz
    -include $$($(1)_OBJS:.o=.d)
endef
$(foreach name,$(FUZZ),$(eval $(call fuzz_target,$(name))))
endif

.PHONY: fuzz $(FUZZ:%=fuzz-%)
fuzz: $(FUZZ:%=fuzz-%)
$(FUZZ:%=fuzz-%): fuzz-%: $(Z)/fuzz_%
	$(say) FUZZ $*
	@$(if $(T),,rm -rf $(Z)/corpus/$*)
	@mkdir -p $(Z)/corpus/$*
	@$< -seed=1 -runs=$(FUZZ_RUNS) $(if $(T),-max_total_time=$(T)) -timeout=60 -max_len=1024 \
	    -verbosity=0 -artifact_prefix=$(Z)/$*- $(Z)/corpus/$* $(wildcard tests/fuzz/corpus/$*) >$<.log 2>&1 || \
	    { tail -n 60 $<.log; echo "FAILED: fuzz_$*"; exit 1; }

.PHONY: lint
lint: build/setup-test.mk $(HEADERS) $(B)/include/asm/offsets.h
	@CC='$(CC)' CFLAGS='$(CFLAGS) -DHF_VERSION="lint"' tests/lint/run.sh $(ARCH)

# Firmware for EL3: its third stage stays there, the first two bring it up.
TRUSTED_FIRMWARE := build/trusted-firmware/qemu/release/bl31.bin
$(TRUSTED_FIRMWARE): $(F)/trusted-firmware/.complete
	$(say) TF-A $@
	@env -u MAKEFLAGS -u MAKELEVEL make -s -C $(F)/trusted-firmware PLAT=qemu QEMU_USE_GIC_DRIVER=QEMU_GICV3 \
	    CROSS_COMPILE=aarch64-linux-gnu- LD='aarch64-linux-gnu-ld --no-warn-rwx-segments' DEBUG=0 V=0 \
	    BUILD_BASE=$(CURDIR)/build/trusted-firmware bl1 bl2 bl31 >build/trusted-firmware.log 2>&1 || \
	    { tail build/trusted-firmware.log; exit 1; }
	@touch $@

# TESTS= selects: pytest arguments, for instance TESTS="-k reboot".
TEST_JOBS ?= 2
.PHONY: arm32
arm32:
	@$(MAKE) --no-print-directory ARCH=arm32 LLVM= CROSS_COMPILE=arm-linux-gnueabihf- all

# All tests on the machine they ask for, then some once more on a GICv2 and on 32-bit machines. HF_GIC=2
# in the environment runs all on a GICv2, HF_ARCH=arm32 on a 32-bit machine (with HF_GIC=3 as well on one
# with a GICv3), but for those marked not_on(it).
PYTEST = HF_IMAGE=$(B)/holdfast.bin HF_ELF=$(B)/holdfast.elf PYTHONDONTWRITEBYTECODE=1 \
    $(PYTHON) -m pytest -p no:cacheprovider -q -n $(TEST_JOBS) --dist loadgroup --tb=short tests/system
.PHONY: system system-files
system-files: arm32 $(KERNEL_ARMHF) $(INITRDS_ARMHF) build/setup-test.mk $(B)/holdfast.bin $(KERNEL) $(KERNEL_BACKPORTS) $(INITRD) $(INITRD_DEVICES) $(INITRD_STRESS) $(INITRD_PEERS) \
    $(F)/u-boot-rpi/.complete $(F)/u-boot-sunxi/.complete $(TRUSTED_FIRMWARE) guests build/bench/count.so
system: system-files
	@$(PYTEST) $(TESTS)
	$(if $(TESTS)$(HF_GIC)$(HF_ARCH),,@HF_GIC=2 $(PYTEST) -m gicv2)
	$(if $(TESTS)$(HF_GIC)$(HF_ARCH),,@HF_ARCH=arm32 $(PYTEST) -m arm32)
	$(if $(TESTS)$(HF_GIC)$(HF_ARCH),,@HF_ARCH=arm32 HF_GIC=3 $(PYTEST) -m arm32_gicv3)

# All on a GICv2 or on a 32-bit machine, and a record of it for README.md.
WHOLE_gicv2 := HF_GIC=2
WHOLE_arm32 := HF_ARCH=arm32
WHOLE_arm32-gicv3 := HF_ARCH=arm32 HF_GIC=3
.PHONY: system-gicv2 system-arm32 system-arm32-gicv3
system-gicv2 system-arm32 system-arm32-gicv3: system-%: system-files
	@HF_LOGS=whole- $(WHOLE_$*) $(PYTEST) --junitxml=build/tests/whole-$*.xml $(TESTS)
	$(if $(TESTS),,@tests/matrix.py whole $*)

# Domains that come and go at random for MIN= minutes; SEED= does the same things again.
.PHONY: soak
soak: build/setup-test.mk $(B)/holdfast.bin guests
	@HF_IMAGE=$(B)/holdfast.bin PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/system/soak.py \
	    $(or $(MIN),30) $(or $(SEED),$(shell date +%s))

# The table of machines in README.md, from the logs of `make system`.
.PHONY: matrix
matrix:
	@tests/matrix.py $(ARCH) --write

# The bare-metal guests on Debian's Xen: tests/on_xen/differences.txt says what may differ.
.PHONY: test-guests-on-xen
test-guests-on-xen: build/setup-test.mk build/guests/selftest.bin build/guests/pair.bin build/guests/grants.bin \
    $(F)/xen/.complete
	@NM=$(NM) TEST_JOBS=$(TEST_JOBS) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/on_xen/run.py

# Bare-metal guests of the system tests: raw images from one assembly file each.
GUESTS32 := $(addprefix build/guests/a32/,selftest.bin pair.bin grants.bin calls.bin fuzz.bin storm.bin monitor.bin)
GUESTS := $(patsubst tests/guests/%.S,build/guests/%.bin,$(wildcard tests/guests/*.S)) \
    $(patsubst tests/guests/a32/%.S,build/guests/a32/%.bin,$(wildcard tests/guests/a32/*.S)) \
    build/guests/selftest.bin build/guests/pair.bin build/guests/grants.bin build/guests/fuzz.bin build/guests/storm.bin build/guests/calls.bin \
    build/guests/monitor.bin $(GUESTS32)
.PHONY: guests
guests: $(GUESTS)

build/guests/a32/%.o: tests/guests/a32/%.S tests/guests/a32/guest.h build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)clang --target=armv7a-none-eabi -c -o $@ $<

build/guests/%.o: tests/guests/%.S tests/guests/guest.h
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc -c -o $@ $<

build/guests/%.bin: build/guests/%.o build/setup-test.mk
	$(Q)ld.lld -Ttext=0 -e 0 -o build/guests/$*.elf $<
	$(Q)$(OBJCOPY) -O binary build/guests/$*.elf $@

# The self-test is one guest of many files.
SELFTEST := tests/guests/selftest
SELFTEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -no-pie -fno-common -mstrict-align \
    -mgeneral-regs-only -mno-outline-atomics -fno-asynchronous-unwind-tables \
    -fno-stack-protector -fno-tree-loop-distribute-patterns -fno-toplevel-reorder $(WARNINGS) \
    -isystem build/include -I$(SELFTEST) -I$(SELFTEST)/arm64
SELFTEST_H := $(wildcard $(SELFTEST)/*.h $(SELFTEST)/*/*.h)
SELFTEST_OBJS := $(patsubst tests/%,build/%.o,$(wildcard $(SELFTEST)/*.[cS] $(SELFTEST)/arm64/*.[cS]))
RUNTIME_OBJS := $(addprefix build/guests/selftest/,arm64/start.S.o arm64/processor.c.o runtime.c.o verdict.c.o gicbase.c.o)

build/guests/selftest/%.o: $(SELFTEST)/% $(SELFTEST_H) build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(SELFTEST_CFLAGS) -c -o $@ $<

build/guests/selftest.bin: $(SELFTEST_OBJS) $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $(SELFTEST)/selftest.lds -o build/guests/selftest.elf $(SELFTEST_OBJS)
	$(Q)$(OBJCOPY) -O binary build/guests/selftest.elf $@

# The same for 32-bit guests, all of them.
SELFTEST32_CFLAGS := $(filter-out -mstrict-align -mgeneral-regs-only -mno-outline-atomics \
    -I$(SELFTEST)/arm64,$(SELFTEST_CFLAGS)) -march=armv7ve -marm -mfloat-abi=soft -mno-unaligned-access \
    -Wno-format -Wno-pointer-to-int-cast -Wno-int-to-pointer-cast -I$(SELFTEST)/arm32
G32 := build/guests/a32
RUNTIME32_OBJS := $(addprefix $(G32)/selftest/,arm32/start.S.o arm32/processor.c.o runtime.c.o verdict.c.o gicbase.c.o) \
    $(G32)/runtime.o
a32_objects = $(patsubst tests/guests/%,$(G32)/%.o,$(wildcard $(1)))

$(G32)/%.o: tests/guests/% $(SELFTEST_H) $(wildcard tests/guests/*/*.h) build/setup-arm32.mk
	$(say) GUEST32 $<
	@mkdir -p $(@D)
	$(Q)arm-linux-gnueabihf-gcc $(SELFTEST32_CFLAGS) -c -o $@ $<

$(G32)/runtime.o: arch/arm32/cpu/runtime.S build/setup-arm32.mk
	$(Q)arm-linux-gnueabihf-gcc -march=armv7ve -marm -mfloat-abi=soft -c -o $@ $<

$(G32)/selftest.bin: $(RUNTIME32_OBJS) $(call a32_objects,$(SELFTEST)/*.c $(SELFTEST)/arm32/*.[cS])
$(G32)/pair.bin: $(RUNTIME32_OBJS) $(call a32_objects,tests/guests/pair/*.c)
$(G32)/grants.bin: $(RUNTIME32_OBJS) $(call a32_objects,tests/guests/grants/*.c) $(G32)/selftest/main.c.o
$(G32)/calls.bin: $(RUNTIME32_OBJS) $(call a32_objects,tests/guests/calls/*.c)
$(G32)/fuzz.bin $(G32)/storm.bin $(G32)/monitor.bin: $(G32)/%.bin: $(RUNTIME32_OBJS) $(G32)/%/main.c.o
$(GUESTS32): %.bin: $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $< -o $*.elf $(sort $(filter %.o,$^))
	$(Q)$(OBJCOPY) -I elf32-little -O binary $*.elf $@

# Two domains run the pair guest, which shares the self-test's start and runtime.
PAIR := build/guests/pair
PAIR_OBJS := $(patsubst tests/%,build/%.o,$(wildcard tests/guests/pair/*.[cS])) \
    $(RUNTIME_OBJS)

$(PAIR)/%.o: tests/guests/pair/% $(wildcard tests/guests/pair/*.h $(SELFTEST)/*.h) build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(SELFTEST_CFLAGS) -c -o $@ $<

$(PAIR).bin: $(PAIR_OBJS) $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $(SELFTEST)/selftest.lds -o $(PAIR).elf $(PAIR_OBJS)
	$(Q)$(OBJCOPY) -O binary $(PAIR).elf $@

# One domain grants, another maps and copies.
GRANTS_OBJS := $(patsubst tests/%,build/%.o,$(wildcard tests/guests/grants/*.c)) \
    $(RUNTIME_OBJS) build/guests/selftest/main.c.o

build/guests/grants/%.o: tests/guests/grants/% $(wildcard tests/guests/grants/*.h $(SELFTEST)/*.h) \
    build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(SELFTEST_CFLAGS) -c -o $@ $<

build/guests/grants.bin: $(GRANTS_OBJS) $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $(SELFTEST)/selftest.lds -o build/guests/grants.elf $(GRANTS_OBJS)
	$(Q)$(OBJCOPY) -O binary build/guests/grants.elf $@

# Of one file each: one that does anything, and its neighbour; one that does one thing over and over, and its
# neighbour; one that does what it is told.
SMALL := $(addprefix build/guests/,fuzz storm monitor)
$(SMALL:%=%/main.c.o): build/guests/%.o: tests/guests/% $(wildcard $(SELFTEST)/*.h) build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(SELFTEST_CFLAGS) -c -o $@ $<

$(SMALL:%=%.bin): %.bin: %/main.c.o $(RUNTIME_OBJS) $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $(SELFTEST)/selftest.lds -o $*.elf $(filter %.o,$^)
	$(Q)$(OBJCOPY) -O binary $*.elf $@

# One that makes every hypercall, fails in it and dies in it.
CALLS := build/guests/calls
CALLS_OBJS := $(patsubst tests/%,build/%.o,$(wildcard tests/guests/calls/*.c)) \
    $(RUNTIME_OBJS)

$(CALLS)/%.o: tests/guests/calls/% $(wildcard tests/guests/calls/*.h) $(SELFTEST_H) build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(SELFTEST_CFLAGS) -c -o $@ $<

$(CALLS).bin: $(CALLS_OBJS) $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $(SELFTEST)/selftest.lds -o $(CALLS).elf $(CALLS_OBJS)
	$(Q)$(OBJCOPY) -O binary $(CALLS).elf $@

# The bench guest shares the self-test's start and runtime; the plugin counts for QEMU.
BENCH := build/guests/bench
BENCH_OBJS := $(patsubst tests/bench/guest/%,$(BENCH)/%.o,$(wildcard tests/bench/guest/*.[cS])) \
    $(RUNTIME_OBJS)

$(BENCH)/%.o: tests/bench/guest/% $(wildcard tests/bench/guest/*.h $(SELFTEST)/*.h) build/setup-test.mk
	$(say) GUEST $<
	@mkdir -p $(@D)
	$(Q)$(CROSS_COMPILE)gcc $(SELFTEST_CFLAGS) -c -o $@ $<

$(BENCH).bin: $(BENCH_OBJS) $(SELFTEST)/selftest.lds
	$(Q)ld.lld -T $(SELFTEST)/selftest.lds -o $(BENCH).elf $(BENCH_OBJS)
	$(Q)$(OBJCOPY) -O binary $(BENCH).elf $@

build/bench/count.so: tests/bench/count.c build/setup-test.mk
	$(say) HOSTCC $<
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -o $@ $<

# The release build on Holdfast and Debian's Xen: docs/benchmarks.md.
BENCH_ENV = HF_IMAGE=build/$(ARCH)-release/holdfast.bin HF_ELF=build/$(ARCH)-release/holdfast.elf \
    NM=$(NM) PYTHONDONTWRITEBYTECODE=1 $(PYTHON)
.PHONY: bench bench-trace bench-build bench-gate bench-baseline
# Figures are comparable only if one compiler made them. What system-files makes too is made by this make, not by the other.
bench-build: build/setup-test.mk $(RUNTIME_OBJS) build/bench/count.so
	@$(MAKE) --no-print-directory DEBUG=0 LLVM= CROSS_COMPILE=aarch64-linux-gnu- \
	    all $(BENCH).bin
bench: bench-build $(F)/xen/.complete
	@$(BENCH_ENV) tests/bench/run.py
# What `make test` has of it: no operation costs more than baseline.json says, within 3 %.
bench-gate: bench-build
	@$(BENCH_ENV) tests/bench/run.py gate
bench-baseline: bench-build
	@$(BENCH_ENV) tests/bench/run.py gate --update
bench-trace: bench-build
	@$(BENCH_ENV) tests/bench/trace.py $(KEY)

# Breaks common/mm, then the scheduler, in many ways: some unit test must notice each. MODEL_STEPS=
# bounds the model test.
.PHONY: mutants model
mutants: build/setup-test.mk build/include/.complete
	@MODEL_STEPS=$(or $(MODEL_STEPS),15000) tests/mutation/mm.py
	@tests/mutation/sched.py

# The model test at length, with new operations every time; MODEL_SEED= does the same ones again.
model: $(U)/test_p2m_model
	@MODEL_STEPS=$(or $(MODEL_STEPS),1000000) MODEL_RUNS=$(or $(MODEL_RUNS),8) \
	    MODEL_SEED=$(or $(MODEL_SEED),$(shell date +%s)) $<

# Proofs of the memory core by CBMC, and searches by Spin of its locking and of the scheduler.
.PHONY: proofs spin
proofs: build/setup-proofs.mk
	@tests/proofs/run.py $(or $(call have,cbmc),$(CURDIR)/$(F)/cbmc/cbmc)

spin: build/setup-proofs.mk
	@tests/spin/run.py

# The pictures of the documentation, of their text; the SVG is kept for who has no graphviz.
.PHONY: figures
figures: build/setup-figures.mk $(patsubst %.dot,%.svg,$(wildcard docs/figures/*.dot))
docs/figures/%.svg: docs/figures/%.dot
	$(say) DOT $@
	@dot -Tsvg $< | sed '/^<!--.*-->$$/d; /^<!-- Generated/d; /^ -->$$/d' >$@

# --- packaging --------------------------------------------------------------

# DESTDIR= and prefix= as everywhere. The image goes where boot loaders look for kernels.
prefix ?= /usr
.PHONY: install install-image install-tools dist deb reproducible
install: install-image install-tools
install-image: $(B)/holdfast.bin
	install -D -m 644 $(B)/holdfast.bin $(DESTDIR)/boot/holdfast-$(VERSION)-$(ARCH).bin
install-tools: $(CHECK)
	install -D -t $(DESTDIR)$(prefix)/bin scripts/holdfast-image scripts/holdfast-dt
	install -D scripts/trace.py $(DESTDIR)$(prefix)/bin/holdfast-trace
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/holdfast/holdfast scripts/holdfast/*.py
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/holdfast/schema dts/schema/*.yaml
	install -D -t $(DESTDIR)$(prefix)/libexec $(CHECK)
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/man/man1 docs/man/*.1
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/man/man7 docs/man/*.7
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/doc/holdfast README.md
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/doc/holdfast/docs docs/*.*
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/doc/holdfast/docs/figures docs/figures/*.svg
	install -D -m 644 -t $(DESTDIR)$(prefix)/share/doc/holdfast/dts dts/*.*

DIST := holdfast-$(VERSION)
dist:
	@mkdir -p build
	@git archive --format=tar.gz --prefix=$(DIST)/ -o build/$(DIST).tar.gz HEAD
	$(say) DIST build/$(DIST).tar.gz

# The Debian packages of what was committed, in build/deb, made without the network. What is compiled
# into the hypervisor from other source packages goes along as two more tarballs (debian/README.source).
DEB := build/deb
ORIG := $(CURDIR)/$(DEB)/holdfast_$(VERSION).orig
component = tar -C $(F) --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -czf $(ORIG)-$(1).tar.gz $(2)
deb: build/setup-deb.mk $(F)/libfdt/.complete $(F)/zlib/.complete
	@rm -rf $(DEB) && mkdir -p $(DEB)
	@git archive --format=tar.gz --prefix=$(DIST)/ -o $(ORIG).tar.gz HEAD -- . ':!debian'
	@$(call component,libfdt,$(patsubst $(F)/%,%,$(wildcard $(F)/libfdt/*.[ch])))
	@$(call component,zlib,$(patsubst $(F)/%,%,$(wildcard $(F)/zlib/*.[ch])) zlib/LICENSE)
	@tar -xzf $(ORIG).tar.gz -C $(DEB) && git archive HEAD debian | tar -x -C $(DEB)/$(DIST)
	@for part in libfdt zlib; do tar -xzf $(ORIG)-$$part.tar.gz -C $(DEB)/$(DIST) || exit 1; done
	$(say) DEB $(DEB)
	@cd $(DEB)/$(DIST) && env -u MAKEFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc >../build.log 2>&1 || \
	    { tail -n 40 ../build.log; exit 1; }
	@lintian --fail-on error $(DEB)/*.changes
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/tools/packages.py $(DEB)

# What was committed, built in another directory, is the same bytes.
reproducible: build/setup-build.mk $(HEADERS)
	@rm -rf build/again && mkdir -p build/again/build
	@git archive HEAD | tar -x -C build/again
	@cp -a build/setup-build.mk build/include build/libfdt build/zlib build/again/build
	@mkdir -p build/again/build/fetched && cp -a $(F)/libfdt $(F)/zlib build/again/build/fetched
	@$(MAKE) --no-print-directory -s -C build/again GIT_NAME= all >/dev/null
	@mv build/again/build/arm64 build/again/first && mv build/again build/once-more
	@$(MAKE) --no-print-directory -s -C build/once-more GIT_NAME= all >/dev/null
	@cmp build/once-more/first/holdfast.elf build/once-more/build/arm64/holdfast.elf
	@cmp build/once-more/first/holdfast.bin build/once-more/build/arm64/holdfast.bin
	@cd build/once-more/build/arm64 && sha256sum holdfast.elf holdfast.bin
	@rm -rf build/once-more

# A debugger for the machine of `make run QEMU_FLAGS="-s -S"`. GUEST_ELF= adds a guest's symbols.
.PHONY: gdb
gdb: build/setup-gdb.mk $(B)/holdfast.elf
	@gdb-multiarch -q -x scripts/holdfast.gdb $(if $(GUEST_ELF),-ex 'add-symbol-file $(GUEST_ELF)') $(B)/holdfast.elf

# --- housekeeping -----------------------------------------------------------

.PHONY: clean distclean help
clean:
	rm -rf build/arm64* build/arm32* build/tools build/unit* build/coverage build/fuzz build/tests build/guests build/images \
	    build/include build/libfdt build/zlib

# Also what was fetched.
distclean:
	rm -rf build

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile
	@printf '%s\n' 'Targets: all run check test unit coverage tools model fuzz mutants proofs spin lint system system-gicv2 system-arm32 system-arm32-gicv3 soak guests matrix test-guests-on-xen bench bench-gate bench-baseline bench-trace install dist deb reproducible figures gdb clean distclean' \
	    'Variables:' \
	    '  ARCH=arm64          the architecture to build for, or arm32' \
	    '  DEBUG=0             a release build: no debug checks' \
	    '  LLVM=1              clang and ld.lld instead of gcc' \
	    '  CROSS_COMPILE=      prefix of the cross tools' \
	    '  V=1                 show the commands' \
	    '  PROFILE=linux       the machine of make run and make check: a file of dts/, without .yaml' \
	    '  HV_BOOTARGS=        command line of Holdfast in make run' \
	    '  QEMU_FLAGS=         more options for QEMU in make run' \
    '  PANES=              1: make run in tmux, a pane for each domain; 0: never (inside tmux it is the default)' \
	    '  TESTS=              arguments for pytest in make test and make system' \
    '  T=                  seconds for each target of make fuzz'
