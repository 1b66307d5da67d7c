#!/usr/bin/env python3
"""Breaks the scheduler, the timers and the life of domains, as mm.py breaks common/mm."""

import os
import shutil
import sys

import mm as engine

SCHED, DOMAIN, TIMER = "common/virt/sched.c", "common/virt/domain.c", "common/core/timer.c"

MUTANTS = [
    # a wake-up is lost
    (SCHED, "(v->domain && vgic_has_pending(v))", "0"),
    (SCHED, "(READ_ONCE(v->work) & VCPU_WORK_STOP) || ", ""),
    (SCHED, "v->wake_pending = !v->domain;", ""),
    (SCHED, "    if (woken)\n        softirq_raise_on(cpu, SOFTIRQ_SCHED);\n}", "}"),
    (SCHED, "    else if (running)\n        cpu_kick(cpu);", ""),
    (SCHED, "        schedule();\n    while", "        ;\n    while"),
    # a vCPU on two CPUs, or in the queue twice
    (SCHED, "leaving = offline && v->on_cpu;", "leaving = false;"),
    (SCHED, "next->on_cpu = true;", "next->on_cpu = true; if (next != prev) prev->on_cpu = false;"),
    (SCHED, "    if (rq->curr != v)\n        enqueue(rq, v);", "    enqueue(rq, v);"),
    (SCHED, "if (prev != &rq->idle && prev->state == VCPU_RUNNABLE)", "if (prev != &rq->idle)"),
    (SCHED, "v->state = VCPU_STARTING;", ";"),
    # nobody leaves the CPU
    (SCHED, "    if (waiting)\n        timer_set", "    if (0)\n        timer_set"),
    (SCHED, "else if (!list_empty(&rq->queue) && !timer_is_set(&rq->slice))", "else if (0)"),
    (SCHED, "    rq->slice_over = true;", ""),
    (SCHED, "list_append(&rq->queue", "list_push(&rq->queue"),
    # the dead are counted wrongly, or touched
    (SCHED, "gone = v->state == VCPU_OFFLINE && !v->on_cpu;", "gone = v->state == VCPU_OFFLINE;"),
    (SCHED, "dead = prev->state == VCPU_DEAD;", "dead = false;"),
    (SCHED, "if (READ_ONCE(v->work) & VCPU_WORK_STOP)\n        to = VCPU_DEAD;", ""),
    (SCHED, "    prev->on_cpu = false;", ""),
    (SCHED, "        sched_remove(v);\n        hv_free(v);\n    }", "    }"),
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


engine.TESTS = ["test_timer", "test_sched"]
engine.MUTANTS = MUTANTS
engine.copy_tree = copy_tree

if __name__ == "__main__":
    sys.exit(engine.main())
