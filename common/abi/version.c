/*
 * xen_version: what the guest runs on. The numbers are those of the Xen whose ABI is spoken; the
 * strings that Xen keeps from plain domains are kept from them here as well.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/string.h>
#include <hv/xen_abi.h>

#include <asm/features.h>

#include <xen/features.h>
#include <xen/version.h>

#define SPOKEN_MAJOR 4u
#define SPOKEN_MINOR 17u
#define FEATURE(name) BIT(XENFEAT_##name)

/* What Xen says of a plain domain on Arm. */
#define FEATURES                                                                                   \
    (FEATURE(writable_page_tables) | FEATURE(auto_translated_physmap) |                            \
     FEATURE(memory_op_vnode_supported) | FEATURE(ARM_SMCCC_supported))
_Static_assert((FEATURES | FEATURE(not_direct_mapped)) == 0x16005,
               "the word a guest of Xen 4.17 reads");

/* A string in the whole of a buffer that the ABI gives a fixed size. */
static int64_t give_string(vaddr_t arg, size_t size, const char *s) {
    char buf[64] = "";

    hv_strlcpy(buf, s, sizeof(buf));
    return copy_to_guest(arg, buf, size < sizeof(buf) ? size : sizeof(buf));
}

static int64_t compile_info(vaddr_t arg) {
    struct xen_compile_info info = {.compiler = __VERSION__,
                                    .compile_by = "Holdfast",
                                    .compile_domain = "",
                                    .compile_date = ""};

    return copy_to_guest(arg, &info, sizeof(info));
}

/* The kinds of guests that this machine's CPUs run. */
static const char *capabilities(void) {
    if (!cpu_features.aarch32_el1)
        return "xen-3.0-aarch64 ";
    return cpu_features.aarch64_el1 ? "xen-3.0-aarch64 xen-3.0-armv7l " : "xen-3.0-armv7l ";
}

static int64_t get_features(const struct domain *d, vaddr_t arg) {
    struct xen_feature_info info;

    if (copy_from_guest(&info, arg, sizeof(info)))
        return -EFAULT;
    if (info.submap_idx)
        return -EINVAL;
    info.submap =
        FEATURES | (d->pages.direct_map ? FEATURE(direct_mapped) : FEATURE(not_direct_mapped));
    return copy_to_guest(arg, &info, sizeof(info));
}

/* Its own function: strings on the stack are guarded, and frequent questions do not pay for it. */
static __noinline int64_t other_questions(uint32_t cmd, vaddr_t arg) {
    static const xen_platform_parameters_t platform = {.virt_start = 0x200000};
    static const xen_domain_handle_t handle; /* given by a toolstack: all zero without one */

    switch (cmd) {
    case XENVER_extraversion:
        return give_string(arg, sizeof(xen_extraversion_t), "-holdfast");
    case XENVER_compile_info:
        return compile_info(arg);
    case XENVER_capabilities:
        return give_string(arg, sizeof(xen_capabilities_info_t), capabilities());
    case XENVER_changeset:
        return give_string(arg, sizeof(xen_changeset_info_t), "");
    case XENVER_platform_parameters:
        return copy_to_guest(arg, &platform, sizeof(platform));
    case XENVER_pagesize:
        return arg ? -EINVAL : (int64_t)PAGE_SIZE;
    case XENVER_guest_handle:
        return copy_to_guest(arg, handle, sizeof(handle));
    case XENVER_commandline:
        return give_string(arg, sizeof("<denied>"), "<denied>");
    case XENVER_build_id:
        return -EPERM;
    default:
        return -ENOSYS;
    }
}

int64_t do_xen_version(struct vcpu *v, const uint64_t *args) {
    uint32_t cmd = (uint32_t)args[0];

    if (likely(cmd == XENVER_version))
        return SPOKEN_MAJOR << 16 | SPOKEN_MINOR;
    if (cmd == XENVER_get_features)
        return get_features(v->domain, (vaddr_t)args[1]);
    return other_questions(cmd, (vaddr_t)args[1]);
}
