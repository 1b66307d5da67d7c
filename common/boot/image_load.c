/* Putting a kernel into guest memory: copied or unpacked, straight to its place, in bounded steps.
 */
#include <hv/bits.h>
#include <hv/image.h>
#include <hv/mm.h>
#include <hv/string.h>

#include "image_gzip.h"

#ifndef Z_SOLO
#define Z_SOLO 1
#endif
#define ZLIB_CONST 1
#include <zlib.h>

#define COPY_STEP KB(256)
#define UNPACK_STEP KB(64)
#define GZIP_WINDOW                                                                                \
    (15 + 16) /* largest window; gzip header and trailer with its CRC are zlib's work */

bool image_copy(const void *data, uint64_t size, uint64_t offset, const struct image_dest *dest) {
    const uint8_t *from = data;

    while (size) {
        uint64_t n = MIN(size, COPY_STEP);
        void *to = dest->window(dest->arg, offset, &n);

        if (!to || !n)
            return false;
        memcpy(to, from, n);
        dest->written(dest->arg, to, n);
        from += n;
        offset += n;
        size -= n;
    }
    return true;
}

/* ---- gzip ---- */

static void *zlib_alloc(void *opaque, unsigned items, unsigned size) {
    (void)opaque;
    return hv_zalloc((size_t)items * size);
}
static void zlib_free(void *opaque, void *p) {
    (void)opaque;
    hv_free(p);
}

static const char *gzip_start(z_stream *z) {
    *z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free};
    return inflateInit2(z, GZIP_WINDOW) == Z_OK ? NULL : "no memory to unpack it";
}

/* One step into `out`: Z_OK with the room filled or the input at its end, Z_STREAM_END, or an
 * error. */
static int gzip_step(z_stream *z, const uint8_t *end, void *out, uint64_t room) {
    z->avail_in = (unsigned)MIN((uint64_t)(end - z->next_in), GB(1));
    z->next_out = out;
    z->avail_out = (unsigned)room;
    return inflate(z, Z_NO_FLUSH);
}

const char *gzip_peek(const uint8_t *data, uint64_t size, uint8_t *out, uint64_t max,
                      uint64_t *got) {
    z_stream z;
    const char *why = gzip_start(&z);
    int rc;

    if (why)
        return why;
    z.next_in = data;
    rc = gzip_step(&z, data + size, out, max);
    *got = max - z.avail_out;
    inflateEnd(&z);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return "expected a whole gzip file, it is damaged";
    return *got == max ? NULL : "expected a whole gzip file, it is truncated";
}

static const char *unpack(z_stream *z, const uint8_t *end, uint64_t want,
                          const struct image_dest *dest) {
    uint64_t done = 0;

    for (;;) {
        uint8_t none;
        void *to = &none;
        uint64_t room = MIN(want - done, UNPACK_STEP), n;
        int rc;

        /* With all bytes there, one more step without room reads the trailer. */
        if (room) {
            to = dest->window(dest->arg, done, &room);
            if (!to || !room)
                return "no guest memory where it is to go";
        }
        rc = gzip_step(z, end, to, room);
        n = room - z->avail_out;
        if (room)
            dest->written(dest->arg, to, n);
        done += n;
        if (rc == Z_STREAM_END)
            return done == want ? NULL : "expected a whole gzip file, its recorded size is wrong";
        if (rc == Z_BUF_ERROR) /* no progress: input at its end, or output where no room is left */
            return "expected a whole gzip file, it is truncated or longer than it says";
        if (rc != Z_OK)
            return "expected a whole gzip file, it is damaged";
    }
}

const char *gzip_unpack(const uint8_t *data, uint64_t size, uint64_t want,
                        const struct image_dest *dest) {
    z_stream z;
    const char *why = gzip_start(&z);

    if (why)
        return why;
    z.next_in = data;
    why = unpack(&z, data + size, want, dest);
    inflateEnd(&z);
    return why;
}

const char *image_load(const struct kernel_image *img, const struct image_dest *dest) {
    if (img->gzip)
        return gzip_unpack(img->data, img->size, img->file_size, dest);
    return image_copy(img->data, img->size, 0, dest) ? NULL : "no guest memory where it is to go";
}
