obj-y += aarch32.o idregs.o sysreg.o setway.o vcp15.o wfx.o fault.o
