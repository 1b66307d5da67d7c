"""What the bench reports: the keys the guest prints, with the target of each, in the table's order."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    key: str  # as the guest's samples have it
    test: str  # the guest's function, which an error names
    label: str
    target: int = None


ROWS = [
    Row("null_hypercall", "null_hypercall", "null hypercall", 120),
    Row("unknown_hypercall", "unknown_hypercall", "unknown hypercall", 110),
    Row("get_features", "get_features", "XENVER_get_features", 350),
    Row("psci_version", "firmware_calls", "PSCI_VERSION", 130),
    Row("smccc_version", "firmware_calls", "SMCCC_VERSION", 130),
    Row("multicall_32", "multicall", "multicall of 32, per operation", 120),
    Row("gicd_typer", "device_registers", "GICD_TYPER read", 230),
    Row("vpl011_fr", "device_registers", "vpl011 FR read", 230),
    Row("gicd_isenabler", "gicd_isenabler", "GICD_ISENABLER write, changing", 320),
    Row("id_register", "id_register", "trapped ID register read", 130),
    Row("abort", "abort_of_nothing", "load from nothing, to abort handler", 260),
    Row("add_shared_info_first", "shared_info_moves", "add shared_info, with a new table", 500),
    Row("add_shared_info_later", "shared_info_moves", "add shared_info, later", 500),
    Row("add_shared_info_over_ram", "shared_info_moves", "add shared_info over RAM", 500),
    Row("remove_from_physmap", "shared_info_moves", "remove shared_info", 550),
    Row("grant_frame_add", "grant_frame_moves", "add grant frame", 550),
    Row("grant_frame_remove", "grant_frame_moves", "remove grant frame", 550),
    Row("grant_map", "grant_map", "grant map", 750),
    Row("grant_unmap", "grant_map", "grant unmap", 750),
    Row("grant_map_each_of_16", "grant_map_many", "grant map, each of 16 at once"),
    Row("grant_unmap_each_of_16", "grant_map_many", "grant unmap, each of 16 at once"),
    Row("grant_copy", "grant_copy", "grant copy of 4 KiB", 1300),
    Row("event_send_masked", "event_send", "event send, masked", 220),
    Row("event_send_to_handler", "event_send", "event send, to upcall handler", 420),
    Row("sgi_to_self", "sgi_to_self", "SGI to self, to handler", 300),
    Row("timer_busy", "virtual_timer_busy", "virtual timer latency, busy", 330),
    Row("timer_asleep", "virtual_timer_asleep", "virtual timer latency, from WFI", 900),
    Row("ping_pong_spinning", "ping_pong_spinning", "SGI ping-pong, spinning", 1000),
    Row("ping_pong_asleep", "ping_pong_asleep", "SGI ping-pong, from WFI", 2400),
    Row("decrease_4k", "balloon_4k", "decrease 4 KiB", 700),
    Row("populate_4k", "balloon_4k", "populate 4 KiB", 700),
    Row("decrease_2m", "balloon_2m", "decrease 2 MiB", 40000),
    Row("populate_2m", "balloon_2m", "populate 2 MiB", 40000),
]

# Two vCPUs on one CPU.
SWITCH_ROWS = [Row("vcpu_switch", "switch", "switch between vCPUs, by yield")]

# Instructions of all CPUs together for one operation of one of them.
SCALING_ROWS = [
    Row(f"{key}_{cpus}", "scaling", f"{label}, {cpus} CPU{'s' if cpus > 1 else ''}")
    for key, label in (
        ("lookups", "P2M lookup"),
        ("grant_maps", "grant map and unmap"),
        ("event_sends", "event send"),
    )
    for cpus in (1, 2, 4, 8)
]

# From reset, on one CPU.
FIGURES = [
    Row("boot", "boot", "reset to first guest instruction", 10_000_000),
    Row("boot_per_gib", "boot", "... more for each GiB of memory", 400_000),
    Row("boot_per_image_mib", "boot", "... more for each MiB of guest image"),
    Row("memory_taken", "boot", "KiB neither free nor the guest's, of 2 GiB", 19 * 1024),
]

# Holdfast alone, with the host's PCI bridge behind an SMMU given to the guest.
MIRROR_ROWS = [
    Row(f"{row.key}_mirror", row.test, f"{row.label}, mirrored")
    for row in ROWS
    if row.key
    in (
        "add_shared_info_over_ram",
        "remove_from_physmap",
        "grant_map",
        "grant_unmap",
        "grant_map_each_of_16",
        "grant_unmap_each_of_16",
        "decrease_4k",
        "populate_4k",
        "decrease_2m",
        "populate_2m",
    )
]
