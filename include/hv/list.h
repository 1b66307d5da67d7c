/* Floor 0: intrusive doubly linked circular list. The lock of the head guards all links. */
#ifndef HV_LIST_H
#define HV_LIST_H

#include <hv/types.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
    { &(name), &(name) }

static inline void list_init(struct list *l) {
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l) {
    return l->next == l;
}
static inline void list_insert_after(struct list *at, struct list *e) {
    e->next = at->next;
    e->prev = at;
    at->next->prev = e;
    at->next = e;
}
static inline void list_append(struct list *head, struct list *e) {
    list_insert_after(head->prev, e);
}
/* Takes e out and leaves it a list of its own, so that a second removal is harmless. */
static inline void list_del(struct list *e) {
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_for_each(pos, head)                                                                   \
    for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_safe(pos, tmp, head)                                                         \
    for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head);                         \
         pos = tmp, tmp = pos->next)

#endif
