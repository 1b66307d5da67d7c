/* Kernel formats: recognising them and reading their headers. */
#include <hv/bits.h>
#include <hv/image.h>
#include <hv/mm.h>
#include <hv/string.h>

#include "image_gzip.h"

#define HEADER_SIZE 64u /* of an arm64 Image, and enough for every other format */
#define PE_PROBE_SIZE                                                                              \
    4096u /* PE headers lie within; of a gzip file only so much is unpacked to look at */
#define GZIP_MAX_RATIO 1032u
#define OLD_TEXT_OFFSET 0x80000u /* kernels before 3.17 have no image_size, and this offset */

static uint16_t le16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}
static uint32_t le32(const uint8_t *p) {
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}
static uint64_t le64(const uint8_t *p) {
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* ---- PE sections: the one place where an Image says how long its file is ---- */

#define PE_SIGNATURE_AT 0x3c
#define PE_COFF_SIZE 24u
#define PE_SECTION_SIZE 40u

/* Bytes the file must have by its PE header; 0 when it has none in the `known` bytes. */
static uint64_t pe_file_size(const uint8_t *h, uint64_t known) {
    uint64_t at, need = 0;
    unsigned sections;

    if (h[0] != 'M' || h[1] != 'Z')
        return 0;
    at = le32(h + PE_SIGNATURE_AT);
    if (at > known - HEADER_SIZE || at + PE_COFF_SIZE > known || memcmp(h + at, "PE\0\0", 4))
        return 0;
    sections = le16(h + at + 6);
    at += PE_COFF_SIZE + le16(h + at + 20);
    for (; sections && at + PE_SECTION_SIZE <= known; sections--, at += PE_SECTION_SIZE)
        need = MAX(need, (uint64_t)le32(h + at + 16) + le32(h + at + 20));
    return need;
}

/* ---- raw code ---- */

/* Encoding groups of integer code (Arm ARM C4.1); no floating point, no reserved space. */
static bool is_integer_insn(uint32_t insn) {
    switch ((insn >> 25) & 15) {
    case 8: /* data processing, immediate */
    case 9:
        return true;
    case 10: /* branches, exceptions, system */
    case 11:
        return (insn >> 29) != 3 && (insn >> 29) != 7;
    case 4: /* loads and stores of general registers */
    case 12:
        return true;
    case 5: /* data processing, register */
    case 13:
        return true;
    default:
        return false;
    }
}

bool a64_looks_like_code(const uint8_t *code, uint64_t size) {
    uint64_t at = 0;

    for (unsigned i = 0; i < 16; i++) {
        uint32_t insn;

        if (size < 4 || at > size - 4)
            return i > 0 && at == size; /* ran through a whole small program */
        insn = le32(code + at);
        if (!is_integer_insn(insn))
            return false;
        if ((insn >> 26) == 5) {
            /* An unconditional branch: what stands behind it may be data, so follow it. */
            int64_t to = (int64_t)at + ((int32_t)(insn << 6) >> 4);

            if (to < 0 || (uint64_t)to >= size)
                return false;
            at = (uint64_t)to;
        } else if ((insn & 0xfe1ffc1f) == 0xd61f0000 && (insn & 0x00600000) != 0x00200000) {
            return true; /* br, ret: where to is not known */
        } else {
            at += 4;
        }
    }
    return true;
}

/* ---- formats ---- */

static const char *probe_image(const uint8_t *h, uint64_t known, uint64_t size,
                               struct kernel_image *img) {
    uint64_t image_size = le64(h + 16);

    img->kind = IMAGE_ARM64;
    img->text_offset = image_size ? le64(h + 8) : OLD_TEXT_OFFSET;
    if (img->text_offset >= MB(2) || !IS_ALIGNED(img->text_offset, PAGE_SIZE))
        return "expected an Image with a text_offset of whole pages below 2 MiB";
    if (image_size >= GB(1024))
        return "expected an Image with a sensible image_size";
    if (le64(h + 24) & 1)
        return "expected a little-endian Image";
    if (pe_file_size(h, known) > size)
        return "expected a whole Image, it is truncated";
    img->file_size = size;
    img->mem_size = MAX(image_size, size);
    return NULL;
}

static const char *probe_zimage(const uint8_t *h, uint64_t size, struct kernel_image *img) {
    uint32_t start = le32(h + 0x28), end = le32(h + 0x2c);

    img->kind = IMAGE_ZIMAGE;
    if (start)
        return "expected a zImage that runs anywhere, this one has a fixed address";
    if (end < HEADER_SIZE)
        return "expected a zImage with a sensible size";
    if (end > size)
        return "expected a whole zImage, it is truncated";
    img->file_size = size; /* a device tree may be appended */
    img->mem_size = size;
    return NULL;
}

/* Formats people hand over by mistake: naming them says what to do. */
static const char *known_but_wrong(const uint8_t *h) {
    static const struct {
        const char *magic;
        uint8_t at, len;
        const char *what;
    } formats[] = {
        {"\x7f"
         "ELF",
         0, 4, "expected Image, gzip'd Image, zImage or raw code, got an ELF file"},
        {"\x27\x05\x19\x56", 0, 4,
         "expected Image, gzip'd Image, zImage or raw code, got a uImage"},
        {"\xd0\x0d\xfe\xed", 0, 4,
         "expected Image, gzip'd Image, zImage or raw code, got a FIT or device tree"},
        {"zimg", 4, 4, "expected Image, gzip'd Image, zImage or raw code, got an EFI zboot file"},
        {"\xfd"
         "7zXZ",
         0, 5, "expected Image, gzip'd Image, zImage or raw code, got an xz file"},
        {"\x28\xb5\x2f\xfd", 0, 4,
         "expected Image, gzip'd Image, zImage or raw code, got a zstd file"},
        {"BZh", 0, 3, "expected Image, gzip'd Image, zImage or raw code, got a bzip2 file"},
        {"\x02\x21\x4c\x18", 0, 4,
         "expected Image, gzip'd Image, zImage or raw code, got an lz4 file"},
        {"070701", 0, 6, "expected Image, gzip'd Image, zImage or raw code, got a cpio archive"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++)
        if (!memcmp(h + formats[i].at, formats[i].magic, formats[i].len))
            return formats[i].what;
    return NULL;
}

/* `known` bytes of a kernel of `size` bytes are at hand. */
static const char *probe_plain(const uint8_t *data, uint64_t known, uint64_t size,
                               struct kernel_image *img) {
    uint8_t h[HEADER_SIZE] = {0};
    const char *wrong;

    memcpy(h, data, MIN(known, sizeof(h)));
    if (size >= HEADER_SIZE && !memcmp(h + 0x38, "ARM\x64", 4))
        return probe_image(data, known, size, img);
    if (size >= HEADER_SIZE && le32(h + 0x24) == 0x016f2818)
        return probe_zimage(h, size, img);
    wrong = known_but_wrong(h);
    if (wrong)
        return wrong;
    if (!a64_looks_like_code(data, known))
        return "expected Image, gzip'd Image, zImage or raw code, got something else";
    img->kind = IMAGE_RAW;
    img->file_size = img->mem_size = size;
    return NULL;
}

static const char *probe_gzip(const uint8_t *data, uint64_t size, struct kernel_image *img) {
    uint64_t known, whole;
    const char *why;
    uint8_t *head;

    img->gzip = true;
    if (size < 18)
        return "expected a whole gzip file, it is truncated";
    whole = le32(data + size - 4); /* ISIZE; checked against what comes out when it is unpacked */
    if (whole == 0 || whole / GZIP_MAX_RATIO > size)
        return "expected a whole gzip file, its recorded size is impossible";
    head = hv_zalloc(PE_PROBE_SIZE); /* too large for a stack */
    if (!head)
        return "no memory to look into it";
    why = gzip_peek(data, size, head, MIN(whole, PE_PROBE_SIZE), &known);
    if (!why)
        why = probe_plain(head, known, whole, img);
    hv_free(head);
    return why;
}

const char *image_probe(const void *data, uint64_t size, struct kernel_image *img) {
    const uint8_t *p = data;

    *img = (struct kernel_image){.data = p, .size = size};
    if (size < 4)
        return "expected a kernel, got less than 4 bytes";
    if (p[0] == 0x1f && p[1] == 0x8b)
        return probe_gzip(p, size, img);
    return probe_plain(p, size, size, img);
}

const char *image_kind_name(const struct kernel_image *img) {
    static const char *const names[][2] = {
        [IMAGE_ARM64] = {"Image", "Image (gzip)"},
        [IMAGE_ZIMAGE] = {"zImage", "zImage (gzip)"},
        [IMAGE_RAW] = {"raw", "raw (gzip)"},
    };

    return names[img->kind][img->gzip];
}
