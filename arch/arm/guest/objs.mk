obj-y += aarch32.o backtrace.o idregs.o sysreg.o setway.o vcp15.o wfx.o fault.o speculation.o
