"""Weights, caps, pools and affinity from the device tree, as key s shows what came of them."""

import re

import pytest

from machine import GUESTS, Domain, Machine

HOG = GUESTS / "hog.bin"
CPU = "&{/cpus/cpu@%d}"


def hog(name, cpus=1, nodes="", **properties):
    changes = {key.replace("_", "-").replace("--", ","): value for key, value in properties.items()}
    return Domain(
        name, cpus=cpus, memory_mib=16, kernel=HOG, ramdisk=None, properties=changes, nodes=nodes
    )


def vcpus(machine):
    """{(domain, vCPU): (CPU, pool, ms it ran)}, from the lines of key s."""
    count = sum(domain.cpus for domain in machine.domains)
    machine.send("s")
    seen = {}
    while len(seen) < count:
        m = machine.expect(
            r"d(\d+): vcpu(\d+): \w+, CPU (\d+) of pool (\S+), weight \d+, ran (\d+) ms"
        )
        seen[int(m[1]), int(m[2])] = (int(m[3]), m[4], int(m[5]))
    return seen


def run(machine, ms):
    """Until vCPU 0 of the first domain has run for so long since now; what all have run since."""
    first = vcpus(machine)
    while True:
        now = vcpus(machine)
        ran = {v: now[v][2] - first[v][2] for v in now}
        if ran[1, 0] >= ms:
            return ran, now


@pytest.mark.gicv2
@pytest.mark.arm32
def test_weights_on_one_cpu():
    domains = [hog("one", holdfast__weight="<128>"), hog("two"), hog("four", holdfast__weight="<512>")]
    with Machine("sched-weights", domains, smp=1) as machine:
        machine.expect(r"\(HF\) 3 of 3 domains started")
        ran, _ = run(machine, 400)
    assert ran[2, 0] / ran[1, 0] == pytest.approx(2, rel=0.1)
    assert ran[3, 0] / ran[1, 0] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("cpus, ms", [(2, 600), (8, 120)])
def test_sixteen_vcpus_in_eight_domains(cpus, ms):
    """Two vCPUs each on fewer CPUs; half of the domains weigh twice as much."""
    domains = [
        hog(f"d{i}", cpus=2, holdfast__weight=f"<{512 if i % 2 else 256}>") for i in range(8)
    ]
    with Machine(f"sched-sixteen-{cpus}", domains, smp=cpus) as machine:
        machine.expect(r"\(HF\) 8 of 8 domains started")
        ran, _ = run(machine, ms)
    of_domain = [ran[i + 1, 0] + ran[i + 1, 1] for i in range(8)]
    light, heavy = sum(of_domain[0::2]), sum(of_domain[1::2])
    assert heavy / light == pytest.approx(2, rel=0.15)
    assert min(of_domain[0::2]) > light / 4 * 0.7
    assert min(of_domain[1::2]) > heavy / 4 * 0.7


@pytest.mark.gicv2
@pytest.mark.arm32
def test_cap_and_budget():
    domains = [
        hog("base"),
        hog("capped", holdfast__cap="<20>"),
        hog("timely", holdfast__budget_us="<3000>", holdfast__period_us="<10000>"),
    ]
    with Machine("sched-cap", domains, smp=1) as machine:
        machine.expect(r"\(HF\) 3 of 3 domains started")
        ran, _ = run(machine, 500)
    total = sum(ran.values())
    assert ran[2, 0] / total == pytest.approx(0.2, rel=0.15)
    assert ran[3, 0] / total == pytest.approx(0.3, rel=0.15)


def with_image(image, domain):
    domain.kernel = GUESTS / image
    return domain


@pytest.mark.gicv2
def test_realtime_against_hogs():
    """One that needs 2 of every 10 ms has them in time, whatever five hogs and one that crashes and is
    started again and again do on the same CPU. One like it without a budget has not."""
    domains = [
        with_image("beat.bin", hog("timely", holdfast__budget_us="<3000>", holdfast__period_us="<10000>")),
        with_image("beat.bin", hog("late")),
        with_image("crash.bin", hog("crashing", on_crash='"restart"', restart_limit="<20>")),
    ] + [hog(f"hog{i}") for i in range(5)]
    with Machine("sched-realtime", domains, smp=1) as machine:
        machine.expect(r"\(HF\) d3: crashing: was restarted 20 times already")
        machine.expect_all([rf"\(d{d}\) beats: missed 0x\w+" for d in (1, 2)])
        log = machine.log()
    missed = {d: [int(n, 16) for n in re.findall(rf"\(d{d}\) beats: missed 0x(\w{{8}})", log)] for d in (1, 2)}
    assert len(missed[1]) >= 2 and not any(missed[1]), missed
    assert all(missed[2]), missed


@pytest.mark.gicv2
@pytest.mark.arm32
def test_pools_and_affinity():
    """A null pool of CPUs 2 and 3; in the rest one is bound to CPU 1."""
    pools = (
        "pool0: fast { compatible = \"xen,cpupool\"; cpupool-sched = \"null\"; "
        f"cpupool-cpus = <{CPU % 2}>, <{CPU % 3}>; }};\n"
    )
    bound = 'vcpu0 { compatible = "xen,vcpu"; id = <0>; hard-affinity = "1"; };\n'
    wrong = 'vcpu0 { compatible = "xen,vcpu"; id = <0>; hard-affinity = "2-3"; };\n'
    domains = [
        hog("bound", nodes=bound),
        hog("alone", cpus=2, domain_cpupool="<&pool0>"),
        hog("late", domain_cpupool="<&pool0>"),
        hog("astray", nodes=wrong),
        hog("free"),
        hog("also"),
    ]
    with Machine("sched-pools", domains, smp=4, chosen=pools) as machine:
        machine.expect_all(
            [
                r"\(HF\) CPU pool fast: a CPU for each vCPU",
                r"\(HF\) error: /chosen/late: cpus: expected as many as pool fast has CPUs left for",
                r"\(HF\) error: /chosen/astray/vcpu0: hard-affinity: expected a CPU of pool default",
            ]
        )
        machine.expect(r"\(HF\) 4 of 6 domains started")
        machine.domains = [domains[i] for i in (0, 1, 4, 5)]
        ran, now = run(machine, 100)
    numbers = sorted({d for d, _ in now})
    alone, free = numbers[1], numbers[2:]
    assert now[1, 0][:2] == (1, "default")
    assert {now[alone, 0][:2], now[alone, 1][:2]} == {(2, "fast"), (3, "fast")}
    assert all(now[d, 0][0] in (0, 1) for d in free)
    assert ran[alone, 0] > 1.2 * ran[free[0], 0]


@pytest.mark.parametrize(
    "pool, line",
    [
        ("cpupool-cpus = <0x7777>;", "cpupool-cpus: expected phandles of CPUs that are online"),
        ("", "cpupool-cpus: expected phandles of CPUs"),
        (f'cpupool-cpus = <{CPU % 1}>; cpupool-sched = "rtds";', 'cpupool-sched: expected "null"'),
    ],
)
def test_wrong_pool(pool, line):
    chosen = f'bad: odd {{ compatible = "xen,cpupool"; {pool} }};\n'
    domains = [hog("lost", domain_cpupool="<&bad>"), hog("good")]
    with Machine(f"sched-bad-{len(pool)}", domains, chosen=chosen) as machine:
        machine.expect(r"\(HF\) error: /chosen/odd: " + re.escape(line))
        machine.expect(r"\(HF\) error: /chosen/lost: domain-cpupool: expected the phandle of a CPU pool")
        machine.expect(r"\(HF\) 1 of 2 domains started")
