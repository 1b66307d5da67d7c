# Made by holdfast-image. All addresses follow from the sizes of these files.
echo Loading holdfast.bin
if tftpb 0x40400000 holdfast.bin && test "${filesize}" = 35000; then true; else
  echo holdfast-image: expected holdfast.bin with 217088 bytes, made for this script; not started
  exit
fi
echo Loading Image
if tftpb 0x40a00000 Image && test "${filesize}" = 4c4b41; then true; else
  echo holdfast-image: expected Image with 5000001 bytes, made for this script; not started
  exit
fi
echo Loading initrd
if tftpb 0x41400000 initrd && test "${filesize}" = 3e8; then true; else
  echo holdfast-image: expected initrd with 1000 bytes, made for this script; not started
  exit
fi
echo Loading holdfast.dtb
if tftpb 0x41600000 holdfast.dtb && test "${filesize}" = 107ab; then true; else
  echo holdfast-image: expected holdfast.dtb with 67499 bytes, made for this script; not started
  exit
fi
setenv fdt_high 0xffffffffffffffff
booti 0x40400000 - 0x41600000
