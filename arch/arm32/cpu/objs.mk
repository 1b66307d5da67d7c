obj-y += cache.o features.o mapwin.o string.o runtime.o
