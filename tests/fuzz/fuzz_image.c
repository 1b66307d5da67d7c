/* Kernel files: probed, and loaded into a guest of pieces. */
/* SOURCES: common/boot/image.c common/boot/image_load.c */
#include "fuzz.h"

#include "../unit/test_image.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    void *copy;

    input_is(data, size);
    piece = 4096u << eat(1) % 8;
    guest_size = sizeof(guest) - eat(2);
    copy = malloc(input_left ? input_left : 1);
    if (input_left)
        memcpy(copy, input, input_left);
    if (!image_probe(copy, input_left, &img)) {
        HOLDS(img.file_size <= img.mem_size);
        written = 0;
        if (!image_load(&img, &dest))
            HOLDS(written == img.file_size && written <= guest_size);
    }
    HOLDS(!live);
    free(copy);
    return 0;
}
