/*
 * Floor 8: kernels as they come: which format, what they need, and putting them into a guest's
 * memory. Image    Linux's Documentation/arch/arm64/booting: header of 64 bytes, magic "ARM\x64" at
 * 0x38 zImage   32-bit Arm: magic 0x016f2818 at 0x24, start and end at 0x28 raw      A64 code
 * without any header; recognised by its first instructions Each may be packed by gzip. A module is
 * hostile until checked: no header field is used unchecked.
 */
#ifndef HV_IMAGE_H
#define HV_IMAGE_H

#include <hv/types.h>

enum image_kind { IMAGE_ARM64, IMAGE_ZIMAGE, IMAGE_RAW };

struct kernel_image {
    enum image_kind kind;
    bool gzip;
    const uint8_t *data; /* as found */
    uint64_t size;
    uint64_t text_offset; /* IMAGE_ARM64: distance from a 2 MiB boundary */
    uint64_t file_size;   /* bytes to be put into memory; of a gzip file, at most so many */
    uint64_t mem_size;    /* bytes from the load address on that the kernel wants for itself; >=
                             file_size */
};

/* Describes the file. NULL, or what was expected and what was found (a static text). */
const char *image_probe(const void *data, uint64_t size, struct kernel_image *img);

/* "Image", "zImage", "raw", with " (gzip)" where it is. */
const char *image_kind_name(const struct kernel_image *img);

/* Where bytes go: a guest's memory is not one piece. */
struct image_dest {
    /* Memory for the byte at `offset` and up to *n behind it, *n shortened to what is contiguous.
     * NULL: none there. */
    void *(*window)(void *arg, uint64_t offset, uint64_t *n);
    /* [p, p+n) has been written, and the window is used no more. May block: called between bounded
     * steps, once for each window. */
    void (*written)(void *arg, void *p, uint64_t n);
    void *arg;
};

/* Copies or unpacks the kernel to offset 0. NULL, or what is wrong; bytes may have been written
 * then. */
const char *image_load(const struct kernel_image *img, const struct image_dest *dest);
/* Copies plain bytes to `offset` in the same steps. False: no memory there. */
bool image_copy(const void *data, uint64_t size, uint64_t offset, const struct image_dest *dest);

/* Whether these could be the first instructions of an A64 program (exposed for its test). */
bool a64_looks_like_code(const uint8_t *code, uint64_t size);

#endif
