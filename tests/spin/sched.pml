/*
 * The scheduler's protocol of block, wake, kick, move, start and stop: common/virt/sched.c.
 *
 * Guests compute (until an interrupt comes), wait in WFI, send each other events and yield; the
 * toolstack stops the domain at any moment. A vCPU that wakes goes to an idle CPU, a CPU with nobody
 * steals, the queues are balanced. Whoever waits may be taken before anybody else: the order by time
 * is runqueue.c's and not looked at here. When nothing moves any more, nobody may wait for what is
 * there already. More than that is searched in parts, each with one of these defined:
 *   +STARTS   vCPUs go offline and start each other
 *   +DEVICE   a device sends events too
 *   +POLLS    guests poll a port, and send to each other's
 *   +BUDGETS  a vCPU's budget runs out, and a timer gives it back
 *
 * Bounds: two CPUs, one domain of two vCPUs, which is not paused. What is done under the lock of a run queue is one
 * step, as are two locks held together, and what a CPU does with nobody else's data; memory is
 * sequentially consistent; the device, the toolstack and the timer are on none of the CPUs. Within
 * that, every interleaving is searched.
 *
 * With one of these names defined the protocol is broken, and the search must find it:
 *   LOOK_FIRST      a vCPU looks for interrupts before it is BLOCKED, not after
 *   NO_STOP_LOOK    nor does it look whether its domain goes away
 *   NO_KEPT_WAKE    a wake-up of one that polls and is not blocked yet is not kept
 *   NO_RAISE        nobody tells a CPU that its queue has got somebody
 *   NO_RAISE_CURR   nor that the one that waits in place was woken
 *   NO_KICK         one that runs is not kicked
 *   NO_SLICE        no limit for the one that runs when somebody joins its queue
 *   UNCHECKED_CPU   the lock is taken without a second look at whose it is
 *   STEAL_ON_CPU    one whose stack is still being left is stolen
 *   MOVE_ON_CPU     or sent to an idle CPU when it wakes
 *   QUEUE_CURR      one that waits in place joins the queue when it is woken
 *   CLAIM_TWICE     who claims a vCPU does not mark it
 *   CLAIM_LEAVING   nor waits until its stack is left
 *   GONE_LEAVING    one whose stack is still being left is counted as gone already
 *   LATE_DEAD       whether the last one is dead is read after the lock is released
 *   OFFLINE_STAYS   one that goes offline does not look whether its domain goes away
 */

#define NR_VCPUS 2
#define NR_CPUS 2
#define IDLE(c) (NR_VCPUS + (c)) /* the CPU's idle thread */
#define NR_STACKS (NR_VCPUS + NR_CPUS)
#define NONE 7

#define OFFLINE 0
#define STARTING 1
#define RUNNABLE 2
#define BLOCKED 3
#define DEAD 4

/* ---- of each stack; under the lock of `cpu` ---- */
byte state[NR_STACKS];
byte cpu[NR_STACKS];
bool on_cpu[NR_STACKS];
byte queue[NR_STACKS] = NONE; /* whose queue it waits in */
bool wake_pending[NR_STACKS];
bool throttled[NR_STACKS]; /* and the timer for it is set */
/* Without a lock. */
bool polling[NR_STACKS];
bool event[NR_STACKS]; /* an interrupt is pending */
bool port[NR_STACKS];
bool stop[NR_STACKS];
bool computes[NR_STACKS]; /* in its guest, and only an interrupt ends that */
bool counted[NR_STACKS];  /* as gone */
byte at[NR_STACKS] = NONE; /* the CPU whose stack pointer is in it */

/* ---- of each CPU ---- */
byte curr[NR_CPUS]; /* lock */
bool over[NR_CPUS]; /* lock */
byte left[NR_CPUS]; /* by the last switch */
bool softirq[NR_CPUS];
bool kicked[NR_CPUS];
bool idles[NR_CPUS];
bool slice[NR_CPUS]; /* the timer is set */

#define IS_IDLE(c) (curr[c] == IDLE(c) || state[curr[c]] != RUNNABLE)
#define WAITS(v, c) (queue[v] == c)
#define ANY_WAITS(c) (WAITS(0, c) || WAITS(1, c))
#define HERE(c) (me < NR_STACKS && at[me] == c)

/* ---- what the names of the head comment break ---- */
#ifdef UNCHECKED_CPU
#define LOCK_RQ(v) wc = cpu[v]; atomic { assert(cpu[v] == wc)
#else
#define LOCK_RQ(v) atomic { wc = cpu[v]
#endif
#ifdef MOVE_ON_CPU
#define LEAVING(v) false
#else
#define LEAVING(v) on_cpu[v]
#endif
#ifdef STEAL_ON_CPU
#define MAY_STEAL(v) WAITS(v, 1 - c)
#else
#define MAY_STEAL(v) (WAITS(v, 1 - c) && !on_cpu[v])
#endif
#ifdef NO_KEPT_WAKE
#define KEPT(v) false
#else
#define KEPT(v) polling[v]
#endif
#ifdef QUEUE_CURR
#define IN_PLACE(v, c) false
#else
#define IN_PLACE(v, c) (curr[c] == v)
#endif
#ifdef LOOK_FIRST
#define LOOK_BEFORE (event[me] || stop[me])
#define LOOK_AFTER false
#elif defined(NO_STOP_LOOK)
#define LOOK_BEFORE false
#define LOOK_AFTER event[me]
#else
#define LOOK_BEFORE false
#define LOOK_AFTER (event[me] || stop[me])
#endif
#ifdef CLAIM_TWICE
#define CLAIMED OFFLINE
#else
#define CLAIMED STARTING
#endif
#ifdef CLAIM_LEAVING
#define MAY_CLAIM(v) true
#else
#define MAY_CLAIM(v) !(state[v] == OFFLINE && on_cpu[v])
#endif
#ifdef GONE_LEAVING
#define IS_GONE(v) (state[v] == OFFLINE)
#else
#define IS_GONE(v) (state[v] == OFFLINE && !on_cpu[v])
#endif
#ifdef OFFLINE_STAYS
#define STOPPED_AS(how) how
#else
#define STOPPED_AS(how) (stop[me] -> DEAD : how)
#endif

/* ---- wake, kick, stop: from anywhere ---- */

inline gone(v) {
    assert(state[v] == DEAD && !counted[v]);
    counted[v] = true
}

/* The CPU c is to look at its softirqs: without an interrupt if that is where we are. */
inline raise_on(c) {
    if
    :: !softirq[c] && !HERE(c) -> kicked[c] = true
    :: else
    fi;
    softirq[c] = true
}

inline insert(v, c) {
    assert(queue[v] == NONE && state[v] == RUNNABLE && cpu[v] == c && curr[c] != v);
    queue[v] = c
}

inline insert_and_tell(v, c) {
    insert(v, c);
#ifndef NO_RAISE
    raise_on(c)
#endif
}

/* Under the lock of c, v's CPU: it joins its queue, or is on its way to another one, `to`. */
inline place(v, c) {
    if
    :: !IS_IDLE(c) && idles[1 - c] && !LEAVING(v) -> to = 1 - c; cpu[v] = to
    :: else -> insert_and_tell(v, c)
    fi
}

/* Without the old lock, then with the new one. */
inline arrive(v) {
    if
    :: atomic { to != NONE -> insert_and_tell(v, to); to = NONE }
    :: atomic { else }
    fi
}

/* Under the lock. kicks: vcpu_kick(), not vcpu_wake(). */
inline wake_locked(v, kicks) {
    if
    :: state[v] != BLOCKED ->
        wake_pending[v] = KEPT(v);
#ifndef NO_KICK
        if
        :: kicks && curr[wc] == v && !HERE(wc) -> kicked[wc] = true
        :: else
        fi
#endif
    :: else ->
        state[v] = RUNNABLE;
        if
        :: IN_PLACE(v, wc) ->
#ifndef NO_RAISE_CURR
            raise_on(wc)
#else
            skip
#endif
        :: else -> place(v, wc)
        fi
    fi;
    wc = NONE
}

inline wake(v, kicks) {
    LOCK_RQ(v); wake_locked(v, kicks) };
    arrive(v)
}

/* The state comes first, then it is told. */
inline send_event(v) {
    event[v] = true;
    wake(v, true)
}

inline stop_vcpu(v) {
    stop[v] = true;
    atomic {
        if
        :: IS_GONE(v) -> state[v] = DEAD; gone(v)
        :: !IS_GONE(v) && state[v] == OFFLINE -> state[v] = DEAD
        :: else
        fi
    };
    wake(v, true)
}

/* ---- on a CPU ---- */

/* By whoever has the CPU now. */
inline switched() {
    atomic {
        prev = left[at[me]];
        left[at[me]] = 0;
        on_cpu[prev] = false;
#ifdef LATE_DEAD
    };
    atomic {
#endif
        dead = state[prev] == DEAD;
        if
        :: dead -> gone(prev)
        :: else
        fi;
        dead = false;
        prev = 0
    }
}

inline take(v) {
    queue[v] = NONE;
    cpu[v] = c;
    next = v
}

/* Somebody who waits here; else somebody stolen, unless the other lock was not to be had. */
inline take_one() {
    if
    :: WAITS(0, c) -> take(0)
    :: WAITS(1, c) -> take(1)
    :: !ANY_WAITS(c) && MAY_STEAL(0) -> take(0)
    :: !ANY_WAITS(c) && MAY_STEAL(1) -> take(1)
    :: !ANY_WAITS(c)
    fi
}

/* Under the lock. */
inline pick() {
    assert(curr[c] == me && cpu[me] == c);
    next = NONE;
    if
    :: me < NR_VCPUS && state[me] == RUNNABLE ->
        if
        :: next = me /* it stays */
        :: ANY_WAITS(c) -> take_one(); insert_me = true
#ifdef BUDGETS
        :: throttled[me] = true; take_one()
#endif
        fi
    :: else -> take_one()
    fi;
    if
    :: next == NONE -> next = (state[me] == BLOCKED -> me : IDLE(c))
    :: else
    fi;
    curr[c] = next;
    if
    :: insert_me -> insert(me, c); insert_me = false
    :: else
    fi;
    assert(next == me || !on_cpu[next]);
    on_cpu[next] = true;
    over[c] = false;
    slice[c] = !IS_IDLE(c) && ANY_WAITS(c)
}

/* The stack pointer moves: me goes on where it is picked again. */
inline leave_stack() {
    assert(at[next] == NONE && state[next] != DEAD && state[next] != OFFLINE);
    at[next] = c;
    left[c] = me;
    at[me] = NONE
}

inline schedule() {
    atomic {
        c = at[me];
        pick();
        moved = next != me;
        if
        :: moved -> leave_stack()
        :: else
        fi;
        c = 0;
        next = 0
    };
    if
    :: atomic { moved -> moved = false; switched() }
    :: atomic { else }
    fi
}

/* Nobody's stack is being left on the CPU that looks. */
inline send_away(v) {
    assert(!on_cpu[v]);
    queue[v] = NONE;
    to = 1 - c;
    cpu[v] = to;
    sent = v
}

inline run_softirq() {
    atomic {
        c = at[me];
        softirq[c] = false;
        was_over = over[c];
        if
        :: was_over || (ANY_WAITS(c) && IS_IDLE(c)) -> go = true
        :: !was_over && ANY_WAITS(c) && !IS_IDLE(c) -> go = true /* it interrupts */
        :: !was_over && ANY_WAITS(c) && !IS_IDLE(c) -> /* it does not */
#ifndef NO_SLICE
            slice[c] = true
#endif
        :: else
        fi;
        if
        :: was_over && WAITS(0, c) -> send_away(0)
        :: was_over && WAITS(1, c) -> send_away(1)
        :: skip
        fi;
        was_over = false;
        c = 0
    };
    if
    :: atomic { to != NONE -> insert_and_tell(sent, to); to = NONE; sent = 0 }
    :: atomic { else }
    fi;
    if
    :: atomic { go -> go = false; schedule() }
    :: atomic { else }
    fi
}

/* An interrupt: another CPU's, or the slice is over. */
#define INTERRUPTED (kicked[at[me]] || slice[at[me]])
inline take_interrupt() {
    if
    :: slice[at[me]] -> slice[at[me]] = false; over[at[me]] = true; softirq[at[me]] = true
    :: kicked[at[me]] -> kicked[at[me]] = false
    fi
}

inline idle_step() {
    if
    :: atomic { !softirq[at[me]] -> idles[at[me]] = true };
        atomic { INTERRUPTED -> idles[at[me]] = false; take_interrupt() }
    :: else
    fi;
    if
    :: atomic { softirq[at[me]] -> run_softirq() }
    :: atomic { else }
    fi
}

/* ---- what a vCPU does ---- */

inline block() {
#ifdef LOOK_FIRST
    looked = LOOK_BEFORE;
#endif
    atomic {
        if
        :: wake_pending[me] -> wake_pending[me] = false
        :: !wake_pending[me] && !looked -> state[me] = BLOCKED; others = ANY_WAITS(0) || ANY_WAITS(1)
        :: else
        fi;
        looked = false
    };
    if
    :: atomic { state[me] == BLOCKED && LOOK_AFTER -> others = false; wake(me, false) }
    :: atomic { state[me] == BLOCKED && !LOOK_AFTER && others -> others = false; schedule() }
    :: atomic { else -> others = false }
    fi;
    do
    :: atomic { state[me] == BLOCKED -> idle_step() }
    :: atomic { else -> break }
    od
}

/* Comes back only by a new start. */
inline stop_self(how) {
    state[me] = STOPPED_AS(how);
    atomic {
        c = at[me];
        pick();
        assert(next != me);
        leave_stack();
        c = 0;
        next = 0
    }
}

inline start_other(v) {
    atomic {
        MAY_CLAIM(v); /* one that is still leaving its stack is waited for */
        if
        :: state[v] == OFFLINE -> mine = true; state[v] = CLAIMED
        :: else
        fi
    };
    if
    :: mine ->
        LOCK_RQ(v);
            assert(state[v] == CLAIMED);
            if
            :: stop[v] -> state[v] = DEAD; gone(v)
            :: else -> assert(at[v] == NONE); state[v] = RUNNABLE; place(v, wc)
            fi;
            wc = NONE
        };
        arrive(v);
        mine = false
    :: else
    fi
}

/* SCHEDOP_poll, where the wake-up may come before the vCPU is blocked. */
inline poll() {
    polling[me] = true;
    do
    :: port[me] || event[me] || stop[me] -> break
    :: else ->
        block();
        if
        :: softirq[at[me]] -> run_softirq()
        :: else
        fi
    od;
    atomic { polling[me] = false; port[me] = false }
}

inline send_port(v) {
    port[v] = true;
    if
    :: polling[v] -> wake(v, false)
    :: else
    fi
}

proctype vcpu(byte me) provided (at[me] != NONE) {
    byte prev, next, c, sent, to = NONE, wc = NONE;
    bool dead, insert_me, moved, go, was_over, others, looked, mine;

start:
    switched();
    do
    :: atomic { softirq[at[me]] -> run_softirq() }
    :: atomic { !softirq[at[me]] && stop[me] -> stop_self(DEAD); assert(false) }
    :: atomic { else ->
            event[me] = false; /* its guest has it */
            if
            :: computes[me] = true
            :: skip
            fi
        };
        if
        :: atomic { computes[me] && INTERRUPTED -> computes[me] = false; take_interrupt() }
        :: !computes[me] -> block()
        :: !computes[me] -> send_event(1 - me)
        :: !computes[me] -> schedule()
#ifdef POLLS
        :: !computes[me] -> poll()
        :: !computes[me] -> send_port(1 - me)
#endif
#ifdef STARTS
        :: !computes[me] -> start_other(1 - me)
        :: !computes[me] -> stop_self(OFFLINE); goto start
#endif
        fi
    od
}

proctype idle(byte me) provided (at[me] != NONE) {
    byte prev, next, c, sent, to = NONE, wc = NONE;
    bool dead, insert_me, moved, go, was_over;

    do
    :: idle_step()
    od
}

/* ---- the rest of the world ---- */

proctype refill(byte me) {
    byte c, v, to = NONE;

    do
    :: atomic {
            if
            :: throttled[0] -> v = 0
            :: throttled[1] -> v = 1
            fi;
            throttled[v] = false;
            c = cpu[v];
            place(v, c);
            c = 0
        };
        arrive(v);
        v = 0
    od
}

/* Nothing in the machine moves any more. */
inline check_rest(v) {
    assert(state[v] != STARTING);
    assert(state[v] != BLOCKED || (!event[v] && !stop[v] && !(polling[v] && port[v])));
    assert(state[v] != RUNNABLE || (at[v] == cpu[v] && computes[v] && !event[v] && !stop[v]));
    assert(!stop[v] || counted[v])
}

proctype outside(byte me) {
    byte to = NONE, wc = NONE;

#ifdef DEVICE
    do
    :: send_event(0)
    :: send_event(1)
    :: break
    od;
#endif
    if
    :: stop_vcpu(0); stop_vcpu(1)
    :: skip
    fi;
    timeout;
    check_rest(0);
    check_rest(1)
}

init {
    atomic {
        cpu[1] = 1;
        cpu[IDLE(1)] = 1;
        state[IDLE(0)] = RUNNABLE;
        state[IDLE(1)] = RUNNABLE;
        curr[0] = IDLE(0);
        curr[1] = IDLE(1);
        on_cpu[IDLE(0)] = true;
        on_cpu[IDLE(1)] = true;
        at[IDLE(0)] = 0;
        at[IDLE(1)] = 1;
        /* Both have just been started. */
        state[0] = RUNNABLE;
        state[1] = RUNNABLE;
        queue[0] = 0;
        queue[1] = 1;
        softirq[0] = true;
        softirq[1] = true;
        kicked[0] = true;
        kicked[1] = true;
        run vcpu(0);
        run vcpu(1);
        run idle(IDLE(0));
        run idle(IDLE(1));
        run refill(NR_STACKS);
        run outside(NR_STACKS)
    }
}
