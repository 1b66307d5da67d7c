/* Floor 8: gzip files, unpacked piece by piece. Between image.c and image_load.c only. */
#ifndef BOOT_IMAGE_GZIP_H
#define BOOT_IMAGE_GZIP_H

#include <hv/image.h>

/* Unpacks the first `max` bytes; *got says how many came. NULL, or what is wrong. */
const char *gzip_peek(const uint8_t *data, uint64_t size, uint8_t *out, uint64_t max,
                      uint64_t *got);
/* Unpacks everything to offset 0 of dest, exactly `want` bytes. NULL, or what is wrong. */
const char *gzip_unpack(const uint8_t *data, uint64_t size, uint64_t want,
                        const struct image_dest *dest);

#endif
