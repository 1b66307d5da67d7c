/* Link layout of the image: four regions, each on its own pages, so that each can have its own rights. */
#include <asm/layout.h>

ENTRY(_start)

SECTIONS
{
    . = HV_IMAGE_VA;
    _start = .;
    .text : ALIGN(4096) {
        KEEP(*(.head))
        *(.text.hot*)
        *(.text .text.*)
        . = ALIGN(2048);
        KEEP(*(.vectors))
        . = ALIGN(4096);
    }
    _etext = .;
    /* A section of its own, so that readelf and debuggers find it. */
    .note.gnu.build-id : {
        _build_id_note = .;
        KEEP(*(.note.gnu.build-id))
    }
    .rodata : {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        *(.rodata.symtab)
        . = ALIGN(4096);
    }
    _erodata = .;
    .data : ALIGN(4096) {
        *(.data .data.*)
        . = ALIGN(64);
        _percpu_start = .;
        *(percpu_data)
        . = ALIGN(64);
        _percpu_end = .;
        . = ALIGN(4096);
    }
    _edata = .;
    .bss (NOLOAD) : ALIGN(4096) {
        _bss_start = .;
        *(.bss .bss.*)
        *(COMMON)
        . = ALIGN(4096);
        _bss_end = .;
        *(.boottables)
        *(.bootstack)
        . = ALIGN(4096);
    }
    _end = .;
    _image_size_le = _end - _start;
    ASSERT(_image_size_le <= 0x200000, "one last-level table maps the image")

    /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) *(.ARM.*) *(.gnu*) *(.dynamic) *(.dynsym) *(.hash) }
}
