obj-y += smmu.o cmdq.o strtab.o evtq.o
