obj-y += version.o hvm_op.o sched_op.o vcpu_op.o runstate.o multicall.o console_io.o pv_console.o
obj-y += hypercall.o memory_op.o physmap.o reservation.o grant_frames.o policy.o
obj-y += evtchn.o evtchn_port.o evtchn_pending.o evtchn_hv.o event_fifo.o vcpu_info.o guest_atomic.o
obj-y += grant_op.o grant_entry.o grant_map.o grant_copy.o maptrack.o
