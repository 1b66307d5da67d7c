# Made by holdfast-image. All addresses follow from the sizes of these files.
echo Loading holdfast.bin
if tftpb 0x40400000 holdfast.bin && test "${filesize}" = 35000; then true; else
  echo holdfast-image: expected holdfast.bin with 217088 bytes, made for this script; not started
  exit
fi
echo Loading Image
if tftpb 0x40800000 Image && test "${filesize}" = 4c4b41; then true; else
  echo holdfast-image: expected Image with 5000001 bytes, made for this script; not started
  exit
fi
echo Loading initrd
if tftpb 0x40e00000 initrd && test "${filesize}" = 3e8; then true; else
  echo holdfast-image: expected initrd with 1000 bytes, made for this script; not started
  exit
fi
fdt addr ${fdtcontroladdr}
fdt move ${fdtcontroladdr} 0x41000000 0x100000
fdt chosen
fdt set /chosen \#address-cells <0x2>
fdt set /chosen \#size-cells <0x2>
fdt set /chosen xen,xen-bootargs 'iommu=mirror'
fdt set /chosen xen,static-heap <0x0 0x50000000 0x0 0x4000000>
fdt set /chosen holdfast,allow-pairs 'one' 'two'
fdt mknode /chosen two
fdt set /chosen/two compatible 'xen,domain'
fdt set /chosen/two \#address-cells <0x2>
fdt set /chosen/two \#size-cells <0x2>
fdt set /chosen/two cpus <0x1>
fdt set /chosen/two memory <0x0 0x1000>
fdt set /chosen/two vpl011
fdt set /chosen/two holdfast,pv-console
fdt set /chosen/two holdfast,pci-functions '0000:00:02.0'
fdt set /chosen/two holdfast,weight <0x200>
fdt set /chosen/two xen,enhanced
fdt set /chosen/two capabilities 'control'
fdt set /chosen/two list 'a' 'b'
fdt set /chosen/two cells <0x1 0x2>
fdt set /chosen/two bytes [01 02 03]
fdt mknode /chosen/two module@40800000
fdt set /chosen/two/module@40800000 compatible 'multiboot,kernel' 'multiboot,module'
fdt set /chosen/two/module@40800000 reg <0x0 0x40800000 0x0 0x4c4b41>
fdt set /chosen/two/module@40800000 bootargs <0x69742773 0x20227175 0x6f746564 0x22202468 0x65726500>
fdt mknode /chosen/two evtchn@1
fdt set /chosen/two/evtchn@1 compatible 'xen,evtchn-v1'
fdt set /chosen/two/evtchn@1 xen,evtchn <0x14 0x40000002>
fdt set /chosen/two/evtchn@1 phandle <0x40000001>
fdt mknode /chosen one
fdt set /chosen/one compatible 'xen,domain'
fdt set /chosen/one \#address-cells <0x2>
fdt set /chosen/one \#size-cells <0x2>
fdt set /chosen/one cpus <0x2>
fdt set /chosen/one memory <0x0 0x8000>
fdt set /chosen/one vpl011
fdt set /chosen/one \#xen,static-mem-address-cells <0x2>
fdt set /chosen/one \#xen,static-mem-size-cells <0x2>
fdt set /chosen/one xen,static-mem <0x0 0x44000000 0x0 0x2000000>
fdt set /chosen/one direct-map
fdt mknode /chosen/one module@40e00000
fdt set /chosen/one/module@40e00000 compatible 'multiboot,ramdisk' 'multiboot,module'
fdt set /chosen/one/module@40e00000 reg <0x0 0x40e00000 0x0 0x3e8>
fdt mknode /chosen/one module@40800000
fdt set /chosen/one/module@40800000 compatible 'multiboot,kernel' 'multiboot,module'
fdt set /chosen/one/module@40800000 reg <0x0 0x40800000 0x0 0x4c4b41>
fdt set /chosen/one/module@40800000 bootargs 'console=ttyAMA0'
fdt mknode /chosen/one evtchn@1
fdt set /chosen/one/evtchn@1 compatible 'xen,evtchn-v1'
fdt set /chosen/one/evtchn@1 xen,evtchn <0xa 0x40000001>
fdt set /chosen/one/evtchn@1 phandle <0x40000002>
setenv fdt_high 0xffffffffffffffff
booti 0x40400000 - 0x41000000
