obj-y += thread.o context.o banked.o registers.o inject.o vdebug.o translate.o speculation.o
