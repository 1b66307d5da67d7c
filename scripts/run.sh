#!/bin/bash
# Starts QEMU's virt machine from a disk, by U-Boot, on this terminal.
#
#   scripts/run.sh DISK [QEMU OPTION...]

set -euo pipefail
disk=$1
shift
cat <<'END'

  The terminal is the machine's serial port. Press Ctrl-A three times to switch
  the input from Holdfast to domU1, to domU2 and round. Type poweroff in both
  guests to end.

END
exec qemu-system-aarch64 \
    -machine virt,virtualization=on,gic-version=3,iommu=smmuv3 -cpu cortex-a72 -smp 2 -m 2G \
    -nic none -display none \
    -chardev stdio,id=con,mux=off,signal=off -serial chardev:con -monitor none \
    -bios /usr/lib/u-boot/qemu_arm64/u-boot.bin \
    -drive if=none,id=disk,format=raw,file="$disk",readonly=on -device virtio-blk-pci,drive=disk \
    "$@"
