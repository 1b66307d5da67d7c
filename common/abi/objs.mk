obj-y += version.o hvm_op.o sched_op.o vcpu_op.o runstate.o multicall.o console_io.o
obj-y += hypercall.o memory_op.o physmap.o reservation.o grant_frames.o policy.o
