#!/bin/bash
# Makes the disk that U-Boot starts from: an MBR and one FAT partition.
#
#   scripts/mkdisk.sh OUTPUT BOOT.CMD FILE...
#
# BOOT.CMD becomes boot.scr, which U-Boot's default environment looks for. No
# root is needed.

set -euo pipefail
output=$1 script=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

start=2048 # sectors; the usual alignment
bytes=$(stat -c %s "$@" | awk '{ sum += $1 } END { print sum }')
sectors=$(((bytes / 512 / 65536 + 1) * 65536 + 65536))

le32() { # as printf escapes
    printf '\\x%02x\\x%02x\\x%02x\\x%02x' \
        $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}

image=$work/disk.img
truncate -s $(((start + sectors) * 512)) "$image"
{
    # one active partition of type 0x0c: FAT32 by logical block address
    printf '\x80\xfe\xff\xff\x0c\xfe\xff\xff'
    printf "$(le32 $start)$(le32 $sectors)"
} | dd of="$image" bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of="$image" bs=1 seek=510 conv=notrunc status=none

mkimage -A arm64 -T script -C none -n Holdfast -d "$script" "$work/boot.scr" >/dev/null
fat=$image@@$((start * 512))
mformat -i "$fat" -F -T $sectors -h 255 -s 63 -H $start -v HOLDFAST ::
mcopy -i "$fat" "$work/boot.scr" "$@" ::/
mkdir -p "$(dirname "$output")"
mv "$image" "$output"
