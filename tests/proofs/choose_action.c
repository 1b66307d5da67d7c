/*
 * Proof: pt_choose_action() of common/mm/pt.c, which decides for one entry of a table.
 *
 * Bounds: none. Every combination of its five arguments. What is shown are the rules that make a
 * walk safe, each for itself, and that together they leave one answer.
 */
#include "common/mm/pt.c"

#include "proof.h"

static void check_map(enum pt_have have, bool fits, enum pt_action a) {
    CHECK((a == PT_REFUSE) == (have == PT_LEAF), "a map never passes over what is mapped");
    CHECK((a == PT_DESCEND) == (have == PT_TABLE), "a map goes into the table that is there");
    CHECK((a == PT_WRITE) == (have == PT_HOLE && fits), "a leaf goes into a hole it fills");
    CHECK((a == PT_ADD_TABLE) == (have == PT_HOLE && !fits), "any other hole gets a table");
}

static void check_unmap(enum pt_have have, bool whole, bool keep_tables, enum pt_action a) {
    CHECK((a == PT_SKIP) == (have == PT_HOLE), "an unmap skips holes and nothing else");
    CHECK((a == PT_CLEAR) == (have == PT_LEAF && whole), "only a leaf meant as a whole goes");
    CHECK((a == PT_SPLIT) == (have == PT_LEAF && !whole), "a leaf meant in part is split");
    CHECK((a == PT_UNLINK) == (have == PT_TABLE && whole && !keep_tables),
          "only a table meant as a whole goes, where tables may");
    CHECK((a == PT_DESCEND) == (have == PT_TABLE && (!whole || keep_tables)),
          "any other table is gone into");
}

void proof(void) {
    enum pt_have have = ANY(enum pt_have);
    enum pt_want want = ANY(enum pt_want);
    bool whole = ANY(bool), leaf_ok = ANY(bool), keep_tables = ANY(bool);
    enum pt_action a;

    ASSUME(have == PT_HOLE || have == PT_LEAF || have == PT_TABLE);
    ASSUME(want == PT_MAP || want == PT_UNMAP);
    a = pt_choose_action(have, want, whole, leaf_ok, keep_tables);
    if (want == PT_MAP)
        check_map(have, whole && leaf_ok, a);
    else
        check_unmap(have, whole, keep_tables, a);
}
