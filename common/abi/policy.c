/* Who may share with whom. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/policy.h>

/* Written at boot only; symmetric. */
static uint64_t allowed[POLICY_DOMIDS][DIV_ROUND_UP(POLICY_DOMIDS, 64)];

static void allow(hv_domid_t a, hv_domid_t b) {
    allowed[a][b / 64] |= 1ULL << b % 64;
}

void policy_allow_pair(hv_domid_t a, hv_domid_t b) {
    BUG_ON(a >= POLICY_DOMIDS || b >= POLICY_DOMIDS);
    allow(a, b);
    allow(b, a);
}

bool domains_may_share(const struct domain *a, const struct domain *b) {
    if (a == b || a->privileged || b->privileged)
        return true;
    if (a->id >= POLICY_DOMIDS || b->id >= POLICY_DOMIDS)
        return false;
    return allowed[a->id][b->id / 64] >> b->id % 64 & 1;
}
