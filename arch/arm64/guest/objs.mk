obj-y += backtrace.o
obj-y += thread.o
obj-y += context.o registers.o inject.o idregs.o vsysreg.o vdebug.o setway.o vcp15.o wfx.o fault.o fpsimd.o
obj-y += translate.o
