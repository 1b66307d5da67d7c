obj-y += speculation.o
obj-y += context.o registers.o inject.o vsysreg.o vdebug.o fpsimd.o
