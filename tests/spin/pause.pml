/*
 * A domain is paused and goes on: domain_pause(), domain_unpause() in common/virt/domain.c with
 * vcpu_pause_self(), vcpu_kick() and vcpu_is_quiet() in sched.c.
 *
 * Guests compute until an interrupt comes, wait in WFI, start each other and go offline. Somebody pauses
 * the domain twice, looks at it, and may leave it paused: while it looks no vCPU may be on a CPU, nor come
 * to one, unless it is to end: the domain may be stopped at any moment. When nothing moves any more no vCPU
 * may rest that is to end, or whose domain is not paused.
 *
 * Bounds: one domain of two vCPUs, each with a CPU at once when it wants one (who waits for a CPU is in
 * sched.pml). What is done under the lock of a run queue is one step, as is a kick; a look at each vCPU
 * is one of its own. The pauser waits at a vCPU instead of looking at all of them anew.
 *
 * With one of these names defined the protocol is broken, and the search must find it:
 *   ONE_LOOK       the vCPUs are looked at once
 *   LEAVING_RESTS  one whose stack is still being left counts as quiet
 *   NO_KICK        nobody tells a vCPU in its guest that it is to rest
 *   BLOCK_BLIND    a vCPU that is about to wait does not look whether it is to rest
 *   REST_BLIND     a vCPU rests without a second look whether it is to end instead
 *   NO_WAKE        one that rests is not told to go on
 *   WORK_LATE      a vCPU that is started looks for work after its guest has run
 */

#define OFFLINE 0
#define STARTING 1
#define RUNNABLE 2
#define BLOCKED 3
#define PAUSED 4
#define DEAD 5

byte state[2];
bool on_cpu[2];
bool pause_work[2];
bool stop_work[2];
bool kicked[2];
bool rest; /* the domain is looked at */

#ifdef LEAVING_RESTS
#define LEFT(v) true
#else
#define LEFT(v) !on_cpu[v]
#endif
#define QUIET(v) (LEFT(v) && (state[v] == OFFLINE || state[v] == PAUSED || state[v] == DEAD))
#define RESTS(v) (stop_work[v] || (!on_cpu[v] && state[v] != STARTING))
#define IS_FORGOTTEN(v) (state[v] == PAUSED && (stop_work[v] || !pause_work[v]))
#ifdef BLOCK_BLIND
#define LOOKS_FOR_PAUSE false
#else
#define LOOKS_FOR_PAUSE pause_work[me]
#endif
#ifdef REST_BLIND
#define STILL true
#else
#define STILL (pause_work[me] && !stop_work[me])
#endif

/* vcpu_kick(), and vcpu_wake() of one that is not in its guest. */
inline kick(v) {
    atomic {
        if
        :: state[v] == BLOCKED || (state[v] == PAUSED && (stop_work[v] || !pause_work[v])) ->
            state[v] = RUNNABLE
        :: else -> kicked[v] = true
        fi
    }
}

proctype vcpu(byte me) {
    bool mine;

off_cpu:
    on_cpu[me] = false;
end_rest:
    atomic { state[me] == RUNNABLE -> on_cpu[me] = true; assert(!rest || stop_work[me]) };
#ifdef WORK_LATE
    goto guest;
#endif
    do
    :: stop_work[me] -> state[me] = DEAD; goto gone
    :: !stop_work[me] && pause_work[me] ->
        atomic {
            if
            :: STILL -> state[me] = PAUSED
            :: else
            fi
        };
        if
        :: state[me] == PAUSED -> goto off_cpu
        :: else
        fi
    :: !stop_work[me] && !pause_work[me] ->
guest:
        if
        :: true ->
end_computes:
#ifdef NO_KICK
            stop_work[me] && kicked[me] -> kicked[me] = false
#else
            kicked[me] -> kicked[me] = false
#endif
        :: state[me] = BLOCKED;
            if
            :: LOOKS_FOR_PAUSE || stop_work[me] ->
                atomic {
                    if
                    :: state[me] == BLOCKED -> state[me] = RUNNABLE
                    :: else
                    fi
                }
            :: else
            fi;
end_wait:
            state[me] == RUNNABLE
        :: atomic {
                if
                :: state[1 - me] == OFFLINE && !on_cpu[1 - me] -> state[1 - me] = STARTING; mine = true
                :: else
                fi
            };
            if
            :: mine -> mine = false;
                atomic { state[1 - me] = (stop_work[1 - me] -> DEAD : RUNNABLE) }
            :: else
            fi
        :: state[me] = (stop_work[me] -> DEAD : OFFLINE);
            if
            :: state[me] == OFFLINE -> goto off_cpu
            :: else -> goto gone
            fi
        fi
    od;
gone:
    on_cpu[me] = false
}

inline pause() {
    pause_work[0] = true;
    kick(0);
    pause_work[1] = true;
    kick(1);
again:
    QUIET(0);
    QUIET(1);
#ifndef ONE_LOOK
    if
    :: QUIET(0)
    :: else -> goto again
    fi;
    if
    :: QUIET(1)
    :: else -> goto again
    fi
#endif
}

proctype pauser() {
    byte n = 0;

    do
    :: n < 2 ->
        pause();
        atomic { rest = true; assert(RESTS(0) && RESTS(1)) };
        rest = false;
        if
        :: n == 1 -> break /* it stays paused */
        :: true
        fi;
        pause_work[0] = false;
        pause_work[1] = false;
#ifndef NO_WAKE
        kick(0);
        kick(1);
#endif
        n++
    :: else -> break
    od;
    timeout;
    assert(!IS_FORGOTTEN(0) && !IS_FORGOTTEN(1))
}

proctype outside() {
    if
    :: stop_work[0] = true; kick(0); stop_work[1] = true; kick(1)
    :: skip
    fi
}

init {
    atomic {
        state[0] = RUNNABLE;
        run vcpu(0);
        run vcpu(1);
        run pauser();
        run outside()
    }
}
