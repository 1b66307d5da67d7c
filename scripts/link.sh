#!/bin/bash
# Links the hypervisor with the symbol table of itself, for backtraces.
#
#   scripts/link.sh OUTPUT_DIR NM CC... -- called by the Makefile
#
# Arguments: the output directory, nm, the compiler with its flags (one word),
# then the link command without output name and symbol table.

set -euo pipefail
out=$1 nm=$2 read_cc=$3
shift 3
read -r -a cc <<<"$read_cc"

listing() {
    if [ -e "$out/symtab.elf" ]; then
        "$nm" -n "$out/symtab.elf"
    fi | /usr/bin/python3 scripts/symbols.py
}

rm -f "$out/symtab.elf"
listing >"$out/symtab.S"
for pass in 1 2 3; do
    "${cc[@]}" -c -o "$out/symtab.o" "$out/symtab.S"
    "$@" "$out/symtab.o" -o "$out/symtab.elf"
    listing >"$out/symtab.S.new"
    if cmp -s "$out/symtab.S" "$out/symtab.S.new"; then
        rm "$out/symtab.S.new"
        mv "$out/symtab.elf" "$out/holdfast.elf"
        exit 0
    fi
    mv "$out/symtab.S.new" "$out/symtab.S"
done
echo "link: the symbol table still moves the code after $pass links" >&2
exit 1
