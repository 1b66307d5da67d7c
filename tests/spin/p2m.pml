/*
 * The lock protocol of the memory core: two vCPUs and a toolstack.
 *
 * Each vCPU does any number of operations in any order: add a grant or status frame at a GFN (which
 * makes the frame when it is not there), remove what is at a GFN, change the version of the grant
 * table (status frames come and go, mapped or not), report where the grant frame is. The toolstack
 * ends the domain at any moment, and takes its memory away while the vCPUs are still inside; the
 * frames of the hypervisor go after them.
 *
 * Bounds: one domain, two vCPUs, two GFNs, three frames (one begins as RAM at GFN 0), a grant table
 * of one frame and one status frame. A step is an access to shared memory, or several that one lock
 * hides from everybody; memory is sequentially consistent; the heap gives its lowest frame. Within
 * that, every interleaving is searched.
 *
 * With one of these names defined the protocol is broken, and the search must find it:
 *   REF_BEFORE_FLUSH     the reference is dropped before the flush
 *   UNLOCKED_GFN         a frame's GFN is read without the lock, then what is there is removed
 *   UNLOCKED_REPORT      a GFN is reported without the lock
 *   REVERSED_LOCKS       a change of version takes the P2M lock, then the grant lock
 *   NO_BUSY              add does not look at whether the frame is mapped
 *   GFN_LATE             add sets the GFN after it released the lock
 *   NO_ENTRY_REF         the entry holds no reference
 *   ADD_TO_DYING         add does not look at whether the domain is dying
 *   DISPLACED_GFN_STAYS  replacing leaves the GFN of the page that was there
 *   FRAMES_BEFORE_VCPUS  the hypervisor's frames go while vCPUs are still inside
 */

#define NR_GFNS 2
#define NR_FRAMES 3
#define NONE 7
#define TOOLSTACK 2

/* ---- locks ---- */
#define GRANT 0
#define P2M 1
byte holder[2] = NONE;
byte readers;

inline lock(l) {
    atomic { holder[l] == NONE && (l != P2M || readers == 0) -> holder[l] = me }
}
inline unlock(l) {
    d_step { assert(holder[l] == me); holder[l] = NONE }
}

/* ---- memory ---- */
byte entry[NR_GFNS] = NONE; /* P2M lock: the frame */
/* What a CPU may remember of the entry. An entry is in it as soon as it is written, for more of it
 * only makes more harm possible. */
byte tlb[NR_GFNS] = NONE;
byte gfn_of[NR_FRAMES] = NONE; /* P2M lock */
byte refs[NR_FRAMES];
bool allocated[NR_FRAMES];
bool xenheap[NR_FRAMES];
bool in_heap[NR_FRAMES]; /* heap lock */

byte grant_frame = NONE;  /* grant lock */
byte status_frame = NONE; /* grant lock */
byte version = 1;         /* grant lock */
bool dying;
byte inside; /* vCPUs not yet gone */

/* Whenever the lock is released: entry and GFN say the same (1, 2), and what is mapped is in use. */
inline check_p2m() {
        i = 0;
        do
        :: i < NR_FRAMES ->
            assert(gfn_of[i] == NONE || entry[gfn_of[i]] == i);
            i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < NR_GFNS ->
            assert(entry[i] == NONE || (gfn_of[entry[i]] == i && refs[entry[i]] > 0));
            i++
        :: else -> break
        od;
        i = 0
}

/* Nothing leads to a frame that goes to the heap (8). */
inline check_free(f) {
    assert(!in_heap[f] && !allocated[f] && refs[f] == 0 && gfn_of[f] == NONE);
    assert(entry[0] != f && entry[1] != f && tlb[0] != f && tlb[1] != f)
}

/*
 * The locks of page allocation and heap are leaves, held for one access each: such a section is one
 * step.
 */
inline put(f) {
    d_step {
        assert(refs[f] > 0);
        refs[f]--;
        if
        :: refs[f] == 0 -> check_free(f); in_heap[f] = true
        :: else
        fi;
        f = NONE
    }
}

inline give_up(f) {
    d_step { assert(allocated[f]); allocated[f] = false };
    put(f)
}

inline flush(g) { tlb[g] = NONE }

/* What a removed entry held. */
inline drop(f) {
    if
#ifdef NO_ENTRY_REF
    :: xenheap[f] -> f = NONE
#else
    :: xenheap[f] -> put(f)
#endif
    :: else -> give_up(f)
    fi
}

/* With the P2M lock: entry, flush, GFN, and only then the reference. */
inline take_out(g) {
    d_step { old = entry[g]; entry[g] = NONE };
#ifdef REF_BEFORE_FLUSH
    gfn_of[old] = NONE;
    drop(old);
    flush(g)
#else
    flush(g);
    d_step {
        assert(gfn_of[old] == g);
#ifdef DISPLACED_GFN_STAYS
        if :: !adding -> gfn_of[old] = NONE :: else fi
#else
        gfn_of[old] = NONE
#endif
    };
    drop(old)
#endif
}

inline p2m_unlock() {
    d_step { check_p2m(); assert(holder[P2M] == me); holder[P2M] = NONE }
}

/* ---- operations ---- */

/* A frame for the grant table, if there is one. */
inline make_frame(slot) {
    if
    :: in_heap[0] -> slot = 0
    :: !in_heap[0] && in_heap[1] -> slot = 1
    :: !in_heap[0] && !in_heap[1] && in_heap[2] -> slot = 2
    :: else
    fi;
    if
    :: slot != NONE ->
        in_heap[slot] = false;
        xenheap[slot] = true;
        allocated[slot] = true;
        refs[slot] = 1
    :: else
    fi
}

/* The frame that is asked for, with a reference, in f; NONE when there is none. What is done under
 * the grant lock touches nothing that others see without it, but one reference: it is one step. */
inline get_frame() {
    atomic {
        holder[GRANT] == NONE ->
        if
        :: grant_frame == NONE -> make_frame(grant_frame); f = grant_frame
        :: grant_frame != NONE -> f = grant_frame
        :: version == 2 -> f = status_frame
        fi;
        if
        :: f != NONE -> assert(refs[f] > 0); refs[f]++
        :: else
        fi
    }
}

#ifdef ADD_TO_DYING
#define IS_DYING false
#else
#define IS_DYING dying
#endif
#ifdef NO_BUSY
#define IS_MAPPED false
#else
#define IS_MAPPED (gfn_of[f] != NONE)
#endif
#define MAY_ADD (!IS_DYING && !IS_MAPPED && allocated[f])

inline add(g) {
    get_frame();
    if
    :: f != NONE ->
        lock(P2M);
        if
        :: atomic { MAY_ADD ->
#ifndef NO_ENTRY_REF
            refs[f]++;
#endif
            adding = true };
            if
            :: entry[g] != NONE -> take_out(g)
            :: else
            fi;
            d_step { entry[g] = f; tlb[g] = f; adding = false };
#ifdef GFN_LATE
            unlock(P2M);
            gfn_of[f] = g
#else
            gfn_of[f] = g;
            p2m_unlock()
#endif
        :: else -> p2m_unlock()
        fi;
        put(f)
    :: else
    fi
}

inline remove(g) {
    lock(P2M);
    if
    :: entry[g] != NONE -> take_out(g)
    :: else
    fi;
    p2m_unlock()
}

/* Removes the frame wherever it is mapped. */
inline remove_frame(f) {
#ifdef UNLOCKED_GFN
    gg = gfn_of[f];
    if
    :: gg != NONE ->
        lock(P2M);
        assert(entry[gg] == NONE || entry[gg] == f); /* else another page is lost */
        if
        :: entry[gg] != NONE -> take_out(gg)
        :: else
        fi;
        p2m_unlock()
    :: else
    fi;
#else
#ifndef REVERSED_LOCKS
    lock(P2M);
#endif
    gg = gfn_of[f];
    if
    :: gg != NONE -> take_out(gg)
    :: else
    fi;
#ifndef REVERSED_LOCKS
    p2m_unlock();
#endif
#endif
    gg = NONE
}

inline change_version() {
#ifdef REVERSED_LOCKS
    lock(P2M);
#endif
    lock(GRANT);
    if
    :: atomic { version == 1 ->
        make_frame(status_frame);
        if :: status_frame != NONE -> version = 2 :: else fi }
    :: atomic { version == 2 -> version = 1; f = status_frame };
        remove_frame(f);
        status_frame = NONE;
        give_up(f)
    fi;
    unlock(GRANT)
#ifdef REVERSED_LOCKS
    ;
    p2m_unlock()
#endif
}

/* Where is the frame? What is told is so at that moment. The grant lock is held, as for the status
 * frames, so the two locks nest here too. */
inline report() {
    lock(GRANT);
    if
    :: grant_frame != NONE ->
#ifndef UNLOCKED_REPORT
        atomic { holder[P2M] == NONE -> readers++ };
#endif
        d_step {
            assert(gfn_of[grant_frame] == NONE || entry[gfn_of[grant_frame]] == grant_frame);
            assert((entry[0] != grant_frame || gfn_of[grant_frame] == 0) &&
                   (entry[1] != grant_frame || gfn_of[grant_frame] == 1))
        };
#ifndef UNLOCKED_REPORT
        readers--
#endif
    :: else
    fi;
    unlock(GRANT)
}

/* ---- processes ---- */

proctype vcpu(byte me) {
    byte f = NONE, old = NONE, gg = NONE, i;
    bool adding;

    do
    :: add(0)
    :: add(1)
    :: remove(0)
    :: remove(1)
    :: change_version()
    :: report()
    :: dying -> break
    od;
    inside--
}

proctype toolstack(byte me) {
    byte old = NONE, i;
    bool adding;

    dying = true;
    remove(0);
    remove(1);
#ifndef FRAMES_BEFORE_VCPUS
    inside == 0;
#endif
    if
    :: status_frame != NONE -> give_up(status_frame)
    :: else
    fi;
    if
    :: grant_frame != NONE -> give_up(grant_frame)
    :: else
    fi;
    /* A RAM page that was displaced went at once: all is back. */
    inside == 0;
    atomic {
        assert(in_heap[0] && in_heap[1] && in_heap[2]);
        assert(entry[0] == NONE && entry[1] == NONE)
    }
}

init {
    atomic {
        entry[0] = 0;
        tlb[0] = 0;
        gfn_of[0] = 0;
        refs[0] = 1;
        allocated[0] = true;
        in_heap[1] = true;
        in_heap[2] = true;
        inside = 2;
        run vcpu(0);
        run vcpu(1);
        run toolstack(TOOLSTACK)
    }
}
