obj-y += sched.o runqueue.o cpupool.o
obj-y += domain.o domain_mmio.o passthrough.o vpci.o
obj-y += vpsci.o smccc.o
obj-y += mmio.o mmio_decode_a64.o mmio_decode_a32.o
obj-y += vpl011.o guest_console.o
obj-y += vgic.o vgic_lr.o vgic_bank.o vgic_dist.o vgic_redist.o vgic_v2.o vtimer.o
obj-y += guest_copy.o
