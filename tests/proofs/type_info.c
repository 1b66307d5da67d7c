/*
 * Proof: the packed word type_info (include/hv/type_info.h).
 *
 * Bounds: none. Every value of the word and every GFN is covered, for the widths of arm64 and of
 * arm32.
 */
#include <hv/type_info.h>

#include "proof.h"

#define WORD_BITS (8 * sizeof(type_info_t))
#define TOP ((type_info_t)1 << (WORD_BITS - 1))

/* The table of the contract, in numbers that owe nothing to the header's own masks. */
static void check_layout(void) {
    unsigned gfn_bits = WORD_BITS == 64 ? 53 : 29, ipa_bits = WORD_BITS == 64 ? 64 : 40;

    CHECK(PGT_writable_page == TOP, "the type is the top bit");
    CHECK(PGT_GFN_MASK == ((type_info_t)1 << gfn_bits) - 1, "the GFN has the low bits");
    CHECK((type_info_t)(PGT_COUNT_MASK | PGT_GFN_MASK) == (type_info_t)(TOP - 1) &&
              !(PGT_COUNT_MASK & PGT_GFN_MASK),
          "the count has what lies between");
    CHECK(PGT_MAX_GFN == ((type_info_t)1 << (ipa_bits - PAGE_SHIFT)) - 1,
          "the widest GFN is that of the IPA");
    CHECK(!type_info_has_gfn(PGT_TYPE_INFO_INITIALIZER) &&
              !type_info_count(PGT_TYPE_INFO_INITIALIZER) && !(PGT_TYPE_INFO_INITIALIZER & TOP),
          "a fresh page has no type, no count and no GFN");
}

static void check_gfn(type_info_t t, uint64_t n) {
    type_info_t with = type_info_with_gfn(t, gfn(n));
    type_info_t without = type_info_with_gfn(with, INVALID_GFN);

    CHECK(type_info_has_gfn(with) && type_info_gfn(with).gfn == n, "what was set is read");
    CHECK(type_info_gfn_field(gfn(n)) != PGT_INVALID_GFN, "no legal GFN is the invalid one");
    CHECK((with ^ t) <= PGT_GFN_MASK, "a GFN written leaves type and count");
    CHECK(!type_info_has_gfn(without) && type_info_gfn(without).gfn == INVALID_GFN.gfn,
          "an invalid GFN is read as such");
    CHECK((without ^ t) <= PGT_GFN_MASK, "a GFN taken away leaves type and count");
}

static void check_count(type_info_t t) {
    unsigned count = type_info_count(t), full = (unsigned)(PGT_COUNT_MASK >> PGT_COUNT_SHIFT);
    type_info_t more = 0, less = 0;

    CHECK(type_info_get_writable(t, &more) == (count < full), "taken exactly while there is room");
    if (count < full) {
        CHECK(type_info_count(more) == count + 1, "one more");
        CHECK(more & TOP, "a use makes the page writable");
        CHECK(!((more ^ t) & PGT_GFN_MASK), "taking a use leaves the GFN");
    }
    CHECK(type_info_put_writable(t, &less) == (count > 0), "dropped exactly while there is one");
    if (count) {
        CHECK(type_info_count(less) == count - 1, "one less");
        CHECK((less & TOP) == (count > 1 ? t & TOP : 0), "the last use takes the type away");
        CHECK(!((less ^ t) & PGT_GFN_MASK), "dropping a use leaves the GFN");
    }
}

void proof(void) {
    type_info_t t = ANY(type_info_t);
    uint64_t n = ANY(uint64_t);

    ASSUME(n <= (WORD_BITS == 64 ? (1ULL << 52) : (1ULL << 28)) - 1);
    check_layout();
    check_gfn(t, n);
    check_count(t);
}
