/* The intrusive list against an array. */
/* SOURCES: */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <hv/list.h>

#define MAX 32

struct item {
    unsigned id;
    struct list link;
};

static struct list head = LIST_INIT(head);
static struct item items[MAX];
static unsigned order[MAX], n;

static void check(void) {
    unsigned i = 0;

    list_for_each(pos, &head) {
        assert_true(i < n);
        assert_int_equal(list_entry(pos, struct item, link)->id, order[i]);
        assert_ptr_equal(pos->next->prev, pos);
        assert_ptr_equal(pos->prev->next, pos);
        i++;
    }
    assert_int_equal(i, n);
    assert_int_equal(list_empty(&head), n == 0);
    if (n)
        assert_int_equal(list_first(&head, struct item, link)->id, order[0]);
}

static void model_insert(unsigned at, unsigned id) {
    for (unsigned i = n; i > at; i--)
        order[i] = order[i - 1];
    order[at] = id;
    n++;
}

static void model_remove(unsigned at) {
    n--;
    for (unsigned i = at; i < n; i++)
        order[i] = order[i + 1];
}

static unsigned position(unsigned id) {
    unsigned i = 0;

    while (i < n && order[i] != id)
        i++;
    return i;
}

static void random_steps(void **state) {
    (void)state;
    srand(4);
    for (unsigned i = 0; i < MAX; i++) {
        items[i].id = i;
        list_init(&items[i].link);
    }
    for (unsigned step = 0; step < 20000; step++) {
        unsigned id = (unsigned)rand() % MAX, at = position(id), where;

        if (at < n) {
            list_del(&items[id].link);
            model_remove(at);
            list_del(&items[id].link); /* a second time: harmless */
        } else if ((where = (unsigned)rand() % 3) == 0) {
            list_insert_after(&head, &items[id].link);
            model_insert(0, id);
        } else if (where == 1 || !n) {
            list_append(&head, &items[id].link);
            model_insert(n, id);
        } else {
            at = (unsigned)rand() % n;
            list_insert_after(&items[order[at]].link, &items[id].link);
            model_insert(at + 1, id);
        }
        check();
    }
}

static void remove_while_walking(void **state) {
    (void)state;
    list_init(&head);
    n = 0;
    for (unsigned i = 0; i < MAX; i++)
        list_append(&head, &items[i].link);
    list_for_each_safe(pos, next, &head) {
        if (list_entry(pos, struct item, link)->id % 3)
            list_del(pos);
    }
    for (unsigned i = 0; i < MAX; i += 3)
        order[n++] = i;
    check();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps),
        cmocka_unit_test(remove_while_walking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
