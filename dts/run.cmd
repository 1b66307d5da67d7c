# U-Boot script: starts Holdfast with two Linux domains.
#
# The device tree is the one U-Boot runs with; the domains are added to it in
# the Xen dom0less binding (xen/docs/misc/arm/device-tree/booting.txt).
# Addresses follow from the sizes of what was loaded, each at the next 2 MiB.

setenv align 'setexpr next ${next} + 0x1fffff; setexpr next ${next} / 0x200000; setexpr next ${next} * 0x200000'
setenv get 'echo Loading ${file}; load ${devtype} ${devnum}:${distro_bootpart} ${next} ${file}; setenv addr ${next}; setenv size ${filesize}; setexpr next ${next} + ${filesize}; run align'

setenv next 0x40400000
setenv file holdfast.bin; run get; setenv hv_addr ${addr}
# Its bss lies behind the file.
setexpr next ${next} + 0x200000
setenv file Image; run get; setenv kernel_addr 0x${addr}; setenv kernel_size 0x${size}
setenv file @INITRD@; run get; setenv initrd_addr 0x${addr}; setenv initrd_size 0x${size}

fdt addr ${fdtcontroladdr}
fdt move ${fdtcontroladdr} ${next} 0x100000
fdt set /chosen \#address-cells <2>
fdt set /chosen \#size-cells <2>
fdt set /chosen xen,xen-bootargs "@HV_BOOTARGS@"

# A new node becomes the first one of its parent: the last domain comes first.
fdt mknode /chosen domU2
fdt set /chosen/domU2 compatible "xen,domain"
fdt set /chosen/domU2 \#address-cells <2>
fdt set /chosen/domU2 \#size-cells <2>
fdt set /chosen/domU2 cpus <1>
fdt set /chosen/domU2 memory <0 0x40000>
fdt set /chosen/domU2 vpl011
fdt mknode /chosen/domU2 ramdisk
fdt set /chosen/domU2/ramdisk compatible "multiboot,ramdisk" "multiboot,module"
fdt set /chosen/domU2/ramdisk reg <0 ${initrd_addr} 0 ${initrd_size}>
fdt mknode /chosen/domU2 kernel
fdt set /chosen/domU2/kernel compatible "multiboot,kernel" "multiboot,module"
fdt set /chosen/domU2/kernel reg <0 ${kernel_addr} 0 ${kernel_size}>
fdt set /chosen/domU2/kernel bootargs "console=ttyAMA0 hostname=domU2 panic=-1"

fdt mknode /chosen domU1
fdt set /chosen/domU1 compatible "xen,domain"
fdt set /chosen/domU1 \#address-cells <2>
fdt set /chosen/domU1 \#size-cells <2>
fdt set /chosen/domU1 cpus <2>
fdt set /chosen/domU1 memory <0 0x80000>
fdt set /chosen/domU1 vpl011
@DOMU1@
fdt mknode /chosen/domU1 ramdisk
fdt set /chosen/domU1/ramdisk compatible "multiboot,ramdisk" "multiboot,module"
fdt set /chosen/domU1/ramdisk reg <0 ${initrd_addr} 0 ${initrd_size}>
fdt mknode /chosen/domU1 kernel
fdt set /chosen/domU1/kernel compatible "multiboot,kernel" "multiboot,module"
fdt set /chosen/domU1/kernel reg <0 ${kernel_addr} 0 ${kernel_size}>
fdt set /chosen/domU1/kernel bootargs "console=ttyAMA0 hostname=domU1 panic=-1"

booti ${hv_addr} - ${next}
