"""Turns the output of `nm -n` (standard input) into the hypervisor's own symbol table, as assembly.

hv_symtab_count   u32    how many
hv_symtab_addrs   u32[]  ascending offsets from _start
hv_symtab_strings        NUL-terminated names, in the same order
Functions only; one name for each address.
"""
import sys


def text_symbols(lines):
    """(offset from _start, name) of each function, ascending."""
    found, start = {}, None
    for line in lines:
        fields = line.split()
        if len(fields) != 3:
            continue
        address, kind, name = int(fields[0], 16), fields[1], fields[2]
        if name == "_start":
            start = address
        if kind in "tTwW" and not name.startswith(("$", ".")):
            # Of several names a global one is the most telling.
            if address not in found or (kind == "T" and found[address][0] != "T"):
                found[address] = (kind, name)
    if start is None:
        return []
    return [(a - start, found[a][1]) for a in sorted(found) if 0 <= a - start < 1 << 31]


def main():
    symbols = text_symbols(sys.stdin)
    print('    .section .rodata.symtab, "a"')
    print("    .balign 4")
    print(f"    .global hv_symtab_count\nhv_symtab_count:\n    .word {len(symbols)}")
    print("    .global hv_symtab_addrs\nhv_symtab_addrs:")
    for offset, _ in symbols:
        print(f"    .word {offset:#x}")
    print("    .global hv_symtab_strings\nhv_symtab_strings:")
    for _, name in symbols:
        print(f'    .asciz "{name}"')
    print("    .byte 0")
    print('    .section .note.GNU-stack, "", %progbits')


main()
