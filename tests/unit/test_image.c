/* SOURCES: common/boot/image.c common/boot/image_load.c */
/* Kernel formats: headers good and bad, raw code, gzip; loading into memory that comes in pieces.
 */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/image.h>
#include <hv/mm.h>

#include <zlib.h>

static unsigned live, allowed = 1000; /* allocations: alive, and until the next fails */

void *hv_zalloc(size_t size) {
    if (!allowed)
        return NULL;
    allowed--;
    live++;
    return calloc(1, size);
}
void hv_free(void *p) {
    live -= p != NULL;
    free(p);
}

static struct kernel_image img;

/* An exact heap copy, so that a read past the end is caught. */
static const char *probe(const void *data, uint64_t size) {
    void *copy = malloc(size ? size : 1);
    const char *why;

    memcpy(copy, data, size);
    why = image_probe(copy, size, &img);
    free(copy);
    assert_int_equal(live, 0);
    return why;
}

static void assert_why(const char *why, const char *part) {
    if (!why || !strstr(why, part))
        fail_msg("expected \"%s\", got \"%s\"", part, why ? why : "nothing wrong");
}

static void le(uint8_t *p, unsigned n, uint64_t v) {
    for (unsigned i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void make_image(uint8_t *h, uint64_t text_offset, uint64_t image_size, uint64_t flags) {
    memset(h, 0, 64);
    le(h, 4, 0x14000010); /* b to 0x40 */
    le(h + 8, 8, text_offset);
    le(h + 16, 8, image_size);
    le(h + 24, 8, flags);
    memcpy(h + 0x38, "ARM\x64", 4);
}

static void arm64_image(void **s) {
    uint8_t f[4096] = {0};

    (void)s;
    make_image(f, 0, 0x100000, 0xa);
    assert_null(probe(f, sizeof(f)));
    assert_int_equal(img.kind, IMAGE_ARM64);
    assert_false(img.gzip);
    assert_int_equal(img.text_offset, 0);
    assert_int_equal(img.file_size, 4096);
    assert_int_equal(img.mem_size, 0x100000);
    assert_string_equal(image_kind_name(&img), "Image");
    make_image(f, 0x80000, 100, 0xa); /* the file is longer than it says: all of it counts */
    assert_null(probe(f, sizeof(f)));
    assert_int_equal(img.text_offset, 0x80000);
    assert_int_equal(img.mem_size, 4096);
    make_image(f, 0x1234, 0, 0); /* before 3.17: no size, and the offset field means nothing */
    assert_null(probe(f, sizeof(f)));
    assert_int_equal(img.text_offset, 0x80000);
    assert_int_equal(img.mem_size, 4096);
    assert_null(probe(f, 64));

    make_image(f, 0x200000, 0x1000, 0xa);
    assert_why(probe(f, sizeof(f)), "text_offset");
    make_image(f, 0x1001, 0x1000, 0xa);
    assert_why(probe(f, sizeof(f)), "text_offset");
    make_image(f, 0, ~0ULL, 0xa);
    assert_why(probe(f, sizeof(f)), "image_size");
    make_image(f, 0, 0x1000, 0xb);
    assert_why(probe(f, sizeof(f)), "little-endian");
}

/* An EFI stub's section table says how long the file is. */
static void truncated_image(void **s) {
    uint8_t f[4096] = {0};

    (void)s;
    make_image(f, 0, 0x100000, 0xa);
    memcpy(f, "MZ", 2);
    le(f + 0x3c, 4, 0x40);
    memcpy(f + 0x40, "PE\0\0", 4);
    le(f + 0x46, 2, 2);    /* sections */
    le(f + 0x54, 2, 0xa0); /* optional header */
    le(f + 0x58 + 0xa0 + 16, 4, 0x800);
    le(f + 0x58 + 0xa0 + 20, 4, 0x200);
    le(f + 0x58 + 0xa0 + 40 + 16, 4, 0x600);
    le(f + 0x58 + 0xa0 + 40 + 20, 4, 0xa00); /* ends at 4096 */
    assert_null(probe(f, 4096));
    assert_why(probe(f, 4095), "truncated");
    for (unsigned size = 64; size < 0x200; size++) /* headers cut anywhere: no read beyond */
        (void)!probe(f, size);
    le(f + 0x3c, 4, 0xfffffff0);
    assert_null(probe(f, 4096)); /* no PE header where it says: nothing to check */
    le(f + 0x3c, 4, 4096 - 24);
    memcpy(f + 4096 - 24, "PE\0\0", 4);
    le(f + 4096 - 18, 2, 0xffff);
    assert_null(probe(f, 4096));
}

static void zimage(void **s) {
    uint8_t f[256] = {0};

    (void)s;
    le(f + 0x24, 4, 0x016f2818);
    le(f + 0x2c, 4, 200);
    assert_null(probe(f, sizeof(f)));
    assert_int_equal(img.kind, IMAGE_ZIMAGE);
    assert_int_equal(img.file_size, 256);
    assert_null(probe(f, 200));
    assert_why(probe(f, 199), "truncated");
    le(f + 0x2c, 4, 0);
    assert_why(probe(f, sizeof(f)), "sensible size");
    le(f + 0x28, 4, 0x8000);
    assert_why(probe(f, sizeof(f)), "fixed address");
}

static void wrong_formats(void **s) {
    static const struct {
        const char *start;
        size_t len;
        const char *name;
    } cases[] = {
        {"\x7f"
         "ELF\2\1\1",
         7, "an ELF file"},
        {"\x27\x05\x19\x56", 4, "a uImage"},
        {"\xd0\x0d\xfe\xed", 4, "a FIT or device tree"},
        {"MZ\0\0zimg", 8, "an EFI zboot file"},
        {"\xfd"
         "7zXZ",
         5, "an xz file"},
        {"\x28\xb5\x2f\xfd", 4, "a zstd file"},
        {"BZh9", 4, "a bzip2 file"},
        {"070701", 6, "a cpio archive"},
        {"neither kernel nor gzip\n", 24, "something else"},
        {"\0\0\0\0\0\0\0\0", 8, "something else"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff", 8, "something else"},
    };
    uint8_t f[4096];
    unsigned seed = 1, raw = 0;

    (void)s;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        memset(f, 0, sizeof(f));
        memcpy(f, cases[i].start, cases[i].len);
        assert_why(probe(f, sizeof(f)), cases[i].name);
    }
    for (unsigned size = 0; size < 4; size++)
        assert_why(probe("\x1f\x8b\x08\x00", size), "less than 4 bytes");
    for (unsigned run = 0; run < 20000; run++) {
        for (unsigned i = 0; i < 256; i++)
            f[i] = (uint8_t)(rand_r(&seed) >> 8);
        raw += !probe(f, 256);
    }
    assert_true(raw < 20); /* noise passes for code once in a thousand at most */
}

static void raw_code(void **s) {
    static const uint32_t program[] = {
        0x10000060, /* adr x0, +12 */
        0x94000005, /* bl */
        0x14000002, /* b over one word */
        0xffffffff, /* data */
        0x52800000, /* mov w0, #0 */
        0xd4000002, /* hvc #0 */
        0x14000000, /* b . */
    };
    static const uint32_t vectors[] = {0x14000003, 0, 0, 0xd65f03c0}; /* b; data; ret */

    (void)s;
    assert_null(probe(program, sizeof(program)));
    assert_int_equal(img.kind, IMAGE_RAW);
    assert_int_equal(img.mem_size, sizeof(program));
    assert_null(probe(vectors, sizeof(vectors)));
    assert_why(probe(vectors, 12), "something else"); /* branches out of the file */
    assert_null(probe(program + 4, 8));               /* runs through a small file */
    assert_why(probe(program, 6), "something else");
}

/* ---- loading ---- */

static uint8_t guest[300 << 10];
static uint64_t guest_size, piece; /* contiguous memory ends at every multiple of piece */
static uint64_t written;

static void *window(void *arg, uint64_t offset, uint64_t *n) {
    assert_ptr_equal(arg, guest);
    if (offset >= guest_size)
        return NULL;
    *n = MIN(*n, MIN(piece - offset % piece, guest_size - offset));
    return guest + offset;
}
static void wrote(void *arg, void *p, uint64_t n) {
    assert_ptr_equal(arg, guest);
    assert_ptr_equal(p, guest + written); /* everything once, in order */
    assert_true(n <= KB(256));
    written += n;
}
static const struct image_dest dest = {window, wrote, guest};

static uint8_t file[250 << 10];
static uint8_t packed[sizeof(file) + 1000];

static void fill_file(void) {
    unsigned seed = 7;

    for (unsigned i = 0; i < sizeof(file); i++)
        file[i] = (uint8_t)(rand_r(&seed) % 16 * (i / 1000));
    make_image(file, 0, sizeof(file) + 0x1000, 0xa);
}

static uint64_t gzip(const void *from, uint64_t n, unsigned trailing) {
    z_stream z = {0};
    uint64_t size;

    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (void *)(uintptr_t)from;
    z.avail_in = (unsigned)n;
    z.next_out = packed;
    z.avail_out = sizeof(packed);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size = sizeof(packed) - z.avail_out;
    deflateEnd(&z);
    memset(packed + size, 0x55, trailing);
    return size + trailing;
}

static const char *load(const void *data, uint64_t size) {
    const char *why = image_probe(data, size, &img);

    if (why)
        return why;
    memset(guest, 0xee, sizeof(guest));
    written = 0;
    why = image_load(&img, &dest);
    assert_int_equal(live, 0);
    return why;
}

static void load_plain(void **s) {
    (void)s;
    for (piece = 4096; piece <= MB(1); piece *= 4) {
        guest_size = sizeof(guest);
        assert_null(load(file, sizeof(file)));
        assert_int_equal(written, sizeof(file));
        assert_memory_equal(guest, file, sizeof(file));
        assert_int_equal(guest[sizeof(file)], 0xee);
        guest_size = sizeof(file) - 1;
        assert_why(load(file, sizeof(file)), "no guest memory");
    }
}

static void load_gzip(void **s) {
    uint64_t size = gzip(file, sizeof(file), 0);

    (void)s;
    for (piece = 4096; piece <= MB(1); piece *= 4) {
        guest_size = sizeof(guest);
        assert_null(load(packed, size));
        assert_true(img.gzip);
        assert_int_equal(img.kind, IMAGE_ARM64);
        assert_int_equal(img.file_size, sizeof(file));
        assert_int_equal(img.mem_size, sizeof(file) + 0x1000);
        assert_string_equal(image_kind_name(&img), "Image (gzip)");
        assert_int_equal(written, sizeof(file));
        assert_memory_equal(guest, file, sizeof(file));
        guest_size = 100000;
        assert_why(load(packed, size), "no guest memory");
    }
    guest_size = sizeof(guest);
}

static void damaged_gzip(void **s) {
    uint64_t size = gzip(file, sizeof(file), 0);

    (void)s;
    piece = MB(1);
    guest_size = sizeof(guest);
    packed[size - 8] ^= 1; /* CRC */
    assert_why(load(packed, size), "damaged");
    packed[size - 8] ^= 1;
    le(packed + size - 4, 4, sizeof(file) - 1); /* says less, and more, than comes out */
    assert_why(load(packed, size), "longer");
    le(packed + size - 4, 4, sizeof(file) + 1);
    assert_why(load(packed, size), "");
    le(packed + size - 4, 4, 0);
    assert_why(probe(packed, size), "recorded size");
    le(packed + size - 4, 4, 0xffffffff);
    assert_why(probe(packed, size), "recorded size");
    le(packed + size - 4, 4, sizeof(file));
    memset(packed + 2000, 0xff, 1000);
    assert_why(load(packed, size), "damaged");
    assert_why(probe("\x1f\x8b\x08\0\0\0\0\0\0\3", 10), "truncated");

    size = gzip(file, sizeof(file), 8); /* something behind the end, read as the size */
    le(packed + size - 4, 4, sizeof(file) + 100);
    assert_why(load(packed, size), "recorded size is wrong");
    size = gzip(file, sizeof(file), 0);
    le(packed + size / 2 - 4, 4, sizeof(file)); /* cut in the middle, the size by chance right */
    assert_why(load(packed, size / 2), "");
    memset(file, 0x5a, 64); /* inside is no kernel */
    assert_why(probe(packed, gzip("070701 cpio, not a kernel, and then some", 41, 0)), "cpio");
    fill_file();
}

/* Cut anywhere, and with nothing behind that could be read: refused, nothing leaked. */
static void truncated_gzip(void **s) {
    uint64_t size = gzip(file, sizeof(file), 0);

    (void)s;
    piece = 8192;
    guest_size = sizeof(guest);
    for (uint64_t cut = 2; cut < size; cut += cut < 64 || cut > size - 64 ? 1 : size / 100) {
        void *copy = malloc(cut);

        memcpy(copy, packed, cut);
        assert_non_null(load(copy, cut));
        free(copy);
    }
}

/* Random damage: an answer each time, nothing outside the guest's memory, nothing leaked. */
static void noisy_gzip(void **s) {
    uint64_t size = gzip(file, sizeof(file), 0);
    uint8_t *copy = malloc(size);
    unsigned seed = 31, bad = 0;

    (void)s;
    memcpy(copy, packed, size);
    piece = 8192;
    guest_size = sizeof(guest);
    for (unsigned run = 0; run < 300; run++) {
        memcpy(packed, copy, size);
        for (unsigned i = 0; i < 1 + run % 3; i++)
            packed[(unsigned)rand_r(&seed) % size] ^= (uint8_t)(1 + rand_r(&seed) % 255);
        bad += load(packed, size) != NULL;
    }
    assert_true(bad > 290); /* a few header bytes mean nothing */
    free(copy);
}

static void no_memory(void **s) {
    uint64_t size = gzip(file, sizeof(file), 0);

    (void)s;
    for (unsigned n = 0; n < 4; n++) {
        const char *why;

        allowed = n;
        why = image_probe(packed, size, &img);
        assert_int_equal(live, 0);
        if (!why)
            break;
    }
    allowed = 1000;
    assert_null(load(packed, size));
    for (allowed = 0; allowed < 2;) {
        unsigned before = allowed;

        written = 0;
        assert_non_null(image_load(&img, &dest));
        assert_int_equal(live, 0);
        allowed = before + 1;
    }
    allowed = 1000;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arm64_image),    cmocka_unit_test(truncated_image),
        cmocka_unit_test(zimage),         cmocka_unit_test(wrong_formats),
        cmocka_unit_test(raw_code),       cmocka_unit_test(load_plain),
        cmocka_unit_test(load_gzip),      cmocka_unit_test(damaged_gzip),
        cmocka_unit_test(no_memory),      cmocka_unit_test(noisy_gzip),
        cmocka_unit_test(truncated_gzip),
    };

    fill_file();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
