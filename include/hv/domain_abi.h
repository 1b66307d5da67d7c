/* Floor 6: room in a domain for what the hypercall layer above keeps for it, and when that comes
 * and goes. */
#ifndef HV_DOMAIN_ABI_H
#define HV_DOMAIN_ABI_H

struct domain;
struct domain_abi; /* common/abi */

struct domain_abi_ops {
    int (*create)(struct domain *d);   /* sets d->abi; 0 or -ENOMEM */
    void (*destroy)(struct domain *d); /* no vCPU is left and nothing is mapped any more */
};

void domain_set_abi_ops(const struct domain_abi_ops *ops);

#endif
