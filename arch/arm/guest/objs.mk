obj-y += aarch32.o backtrace.o fault.o idregs.o last_ran.o setway.o speculation.o sysreg.o
obj-y += thread.o translate.o vcp15.o wfx.o
