obj-y += context.o banked.o registers.o inject.o vdebug.o speculation.o
