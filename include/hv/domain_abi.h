/* Floor 6: room in a domain for what the hypercall layer above keeps for it, and when that comes
 * and goes. */
#ifndef HV_DOMAIN_ABI_H
#define HV_DOMAIN_ABI_H

struct domain;
struct domain_abi; /* common/abi */

struct domain_abi_ops {
    int (*create)(struct domain *d); /* sets d->abi; 0 or -ENOMEM */
    void (*start)(struct domain *d); /* it can be found by its number; no vCPU runs yet */
    /* No vCPU runs any more, and nothing has been freed: gives up what it has of other domains, and
     * tells them off. Preemptible. */
    void (*die)(struct domain *d);
    void (*destroy)(struct domain *d); /* nothing is mapped any more; frees pages, keeps d->abi */
    void (*free)(struct domain *d);    /* no reference to the domain is left: frees d->abi */
    /* Compares what the layer keeps with the domain's P2M; the number of breaches, each told. */
    unsigned (*audit)(struct domain *d);
};

/* All of the above are set. Once, before the first domain. */
void domain_set_abi_ops(const struct domain_abi_ops *ops);

#endif
