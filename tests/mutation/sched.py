#!/usr/bin/env python3
"""Breaks the scheduler, the timers and the life of domains, as mm.py breaks common/mm."""

import os
import shutil
import sys

import mm as engine

SCHED, RUNQUEUE = "common/virt/sched.c", "common/virt/runqueue.c"
CPUPOOL, DOMAIN, TIMER = "common/virt/cpupool.c", "common/virt/domain.c", "common/core/timer.c"

MUTANTS = [
    # a wake-up is lost
    (SCHED, "    return vgic_has_pending(v);", "    return false;"),
    (SCHED, "        vgic_flush(v);\n    return", "        ;\n    return"),
    (SCHED, "(READ_ONCE(v->work) & (VCPU_WORK_STOP | VCPU_WORK_PAUSE)) || ", ""),
    (SCHED, "v->wake_pending = !v->domain || READ_ONCE(v->polling);", ""),
    (SCHED, "    spin_unlock(&rq->lock);\n    softirq_raise_on(cpu, SOFTIRQ_SCHED);\n}", "    spin_unlock(&rq->lock);\n}"),
    (SCHED, "        spin_unlock(&rq->lock);\n        softirq_raise_on(cpu, SOFTIRQ_SCHED);\n", "        spin_unlock(&rq->lock);\n"),
    (SCHED, "    if (!wake_unlock(rq, v) && running)\n        cpu_kick(cpu);", "    wake_unlock(rq, v);"),
    (SCHED, "    else if (others)\n        schedule();\n", ""),
    # a vCPU on two CPUs, or in the queue twice
    (SCHED, "leaving = offline && v->on_cpu;", "leaving = false;"),
    (SCHED, "next->on_cpu = true;", "next->on_cpu = true; if (next != prev) prev->on_cpu = false;"),
    (SCHED, "    if (rq->curr != v) {\n        rq_charge", "    if (1) {\n        rq_charge"),
    (SCHED, "    bool runs = prev != &rq->idle && prev->state == VCPU_RUNNABLE;", "    bool runs = prev != &rq->idle;"),
    (SCHED, "v->state = VCPU_STARTING;", ";"),
    (SCHED, "if (v->on_cpu || !cpupool_allows", "if (!cpupool_allows"),
    (SCHED, "stays = v->on_cpu || ", "stays = "),
    # nobody leaves the CPU
    (SCHED, "    if (end != ~0ULL)\n        timer_set(&rq->slice, end);\n    if (next", "    if (next"),
    (SCHED, "    if (end != ~0ULL)\n        timer_set(&rq->slice, end);\n    if (first && !go", "    if (first && !go"),
    (SCHED, "    rq->slice_over = true;", ""),
    # the dead are counted wrongly, or touched
    (SCHED, "gone = v->state == VCPU_OFFLINE && !v->on_cpu;", "gone = v->state == VCPU_OFFLINE;"),
    (SCHED, "dead = prev->state == VCPU_DEAD;", "dead = false;"),
    (SCHED, "if (READ_ONCE(v->work) & VCPU_WORK_STOP)\n        to = VCPU_DEAD;", ""),
    (SCHED, "    prev->on_cpu = false;", ""),
    (SCHED, "        sched_remove(v);\n        hv_free(v);\n    }", "    }"),
    # who waits for a lock keeps the CPU, or interrupts who holds it
    (SCHED, "        vcpu_trap_wfe(READ_ONCE(rq->nr_waiting));", "        vcpu_trap_wfe(rq->nr_waiting > 9);"),
    (SCHED, "    if (first && !go)\n        trap_wfe_if_others(rq);\n", ""),
    (RUNQUEUE, "    sibling = ns_to_ticks(SIBLING_NS);", "    sibling = 0;"),
    (RUNQUEUE, "curr->domain && curr->domain == waiting->domain;", "true;"),
    (RUNQUEUE, "related && !waiting->sched.p.realtime ?", "related ?"),
    # budgets are not kept, or never come back
    (SCHED, "    place(rq, v);\n}\n\nstatic void idle_step", "    spin_unlock(&rq->lock);\n}\n\nstatic void idle_step"),
    (SCHED, "        } else if (!next || rq_before(prev, next)) {", "        } else if (1) {"),
    (RUNQUEUE, "list_insert_after(at, &v->run_link);", "list_insert_after(head, &v->run_link);"),
    (RUNQUEUE, "        s->left -= MIN(s->left, ran);", "        ;"),
    (RUNQUEUE, "    s->left = s->budget;", ""),
    (RUNQUEUE, "        limit = v->sched.left;", "        ;"),
    (RUNQUEUE, "        return x->p.realtime;", "        return y->p.realtime;"),
    (CPUPOOL, "cpumask_has(&v->sched.p.hard, cpu);", "true;"),
    (CPUPOOL, "        rq_of_cpu(best)->assigned)\n        best = MAX_CPUS;", "        rq_of_cpu(best)->assigned)\n        ;"),
    (CPUPOOL, "    rq_of_cpu(v->sched.assigned)->assigned--;", ""),
    (
        DOMAIN,
        "for (unsigned i = 0; i < d->max_vcpus; i++)\n        vcpu_stop(d->vcpus[i]);",
        "domain_vcpu_gone(d);\n    for (unsigned i = 0; i < d->max_vcpus; i++)\n"
        "        vcpu_stop(d->vcpus[i]);\n    return;",
    ),
    (DOMAIN, "unsched:\n    sched_remove(v);", "unsched:"),
    # timers on several CPUs
    (TIMER, " || __atomic_load_n(&t->running_on, __ATOMIC_ACQUIRE) >= 0)", ")"),
    (TIMER, "        WRITE_ONCE(t->running_on, (int)cpu_id());\n", ""),
    (TIMER, "    } while (READ_ONCE(t->cpu) >= 0);", "    } while (0);"),
    (TIMER, "&& on != (int)cpu_id())", "&& on != (int)cpu_id() && 0)"),
    (TIMER, "    program(q);\n    spin_unlock", "    spin_unlock"),
    (TIMER, "ns % NS_PER_S * timer_hz / NS_PER_S", "ns % NS_PER_S / 1000 * timer_hz / 1000000"),
]


def copy_tree(to):
    for part in ("common", "include", "arch/arm64/include", "arch/arm/include", "tests/fake", "tests/unit"):
        shutil.copytree(os.path.join(engine.ROOT, part), os.path.join(to, part))
    os.makedirs(os.path.join(to, "build"))
    os.symlink(os.path.join(engine.ROOT, "build/include"), os.path.join(to, "build/include"))


engine.TESTS = ["test_timer", "test_sched_policy", "test_sched"]
engine.MUTANTS = MUTANTS
engine.copy_tree = copy_tree

if __name__ == "__main__":
    sys.exit(engine.main())
