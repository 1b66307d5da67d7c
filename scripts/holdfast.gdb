# For gdb-multiarch on QEMU's debugger port, with holdfast.elf loaded: `make gdb`.

set pagination off
set confirm off
target remote :1234

# Until primary_mapped the image runs where it was loaded, which holdfast-image and QEMU's -kernel choose;
# afterwards at its link address, which the symbols have already.
python
class Early(gdb.Command):
    """early ADDRESS: symbols for the first instructions of an image that was loaded at ADDRESS, as 0x40400000."""

    def __init__(self):
        super().__init__("early", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        offset = int(gdb.parse_and_eval(argument)) - int(gdb.parse_and_eval("(unsigned long)&_start"))
        gdb.execute(f"add-symbol-file {gdb.current_progspace().filename} -o {offset % 2**64:#x}")

Early()
end

# Runs until the hypervisor is about to do something.
hbreak hv_main
hbreak panic
echo \n  continue: to hv_main. early ADDRESS: symbols of the first instructions. bt, info threads: CPUs.\n\n
