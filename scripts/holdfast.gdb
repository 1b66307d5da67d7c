# For gdb-multiarch on QEMU's debugger port, with build/arm64/holdfast.elf loaded: `make gdb`.

set pagination off
set confirm off
target remote :1234

# Until primary_mapped the image runs where it was loaded, which holdfast-image and QEMU's -kernel choose;
# afterwards at its link address, which the symbols have already.
define early
    add-symbol-file build/arm64/holdfast.elf -o ($arg0 - 0x7d0000000000)
end
document early
early ADDRESS: symbols for the first instructions of an image that was loaded at ADDRESS, as 0x40400000.
end

# Runs until the hypervisor is about to do something.
hbreak hv_main
hbreak panic
echo \n  continue: to hv_main. early ADDRESS: symbols of the first instructions. bt, info threads: CPUs.\n\n
