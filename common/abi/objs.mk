obj-y += hypercall.o memory_op.o physmap.o reservation.o grant_frames.o policy.o
