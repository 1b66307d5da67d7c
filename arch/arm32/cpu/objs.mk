obj-y += cache.o features.o mapwin.o string.o div64.o
