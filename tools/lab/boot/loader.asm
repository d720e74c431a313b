; SPDX-License-Identifier: GPL-2.0-only
;
; Option ROM in the VGA slot (C000:0): starts a kernel that Bochs has put into
; memory, without disk, boot loader or decompressor.
;
; Bochs' BIOS calls it after it has made the ACPI and MP tables and parked the
; other processors, and before it looks for disks. It does not return.
;
; Beware: Bochs backs guest memory by 128 KiB blocks of its own memory in the
; order of first touch, yet copies an optramimage linearly into its own memory
; from the first block's place on. The blob therefore begins with PAD_BLOCKS
; blocks that carry their index in the first dword. We touch scratch blocks
; until the last index shows up: what the BIOS touched before has then been
; passed. Touching the blocks from LOAD_BASE on in order now makes the rest of
; the blob appear there linearly. A wrong guess shows as a wrong signature at
; HANDOFF, and is reported instead of jumping into garbage.
;
; Defined on the command line (see lablib/directboot.py):
;   SCRATCH, PAD_BLOCKS    where the padding goes and how many blocks it has
;   LOAD_BASE, BLOB_END    physical range of what was loaded
;   BOOT_DATA              boot data: +0 boot_params, PAGE_TABLES, HANDOFF
;   HANDOFF                +0 signature, +8 entry (64 bit)

BLOCK		equ 0x20000
SIGNATURE	equ 0x4d544142		; "BATM"
E820_LOW	equ 0x6000		; where the memory map is gathered
E820_MAX	equ 32
BP_E820_COUNT	equ 0x1e8		; boot_params.e820_entries
BP_E820_TABLE	equ 0x2d0		; boot_params.e820_table
MSR_EFER	equ 0xc0000080
CMOS_STARTED	equ 0x7f		; index of a byte nobody else uses
STARTED		equ 0xa5

bits 16
org 0
	db 0x55, 0xaa, ROM_BLOCKS
start:
	cli
	cld
	; The BIOS' own memory map, so that its tables stay reserved.
	xor ax, ax
	mov es, ax
	mov ds, ax
	mov di, E820_LOW + 4
	xor ebx, ebx
	mov dword [E820_LOW], ebx
.next:
	mov eax, 0xe820
	mov edx, 0x534d4150		; "SMAP"
	mov ecx, 20
	int 0x15
	jc .mapped
	inc dword [E820_LOW]
	add di, 20
	cmp dword [E820_LOW], E820_MAX
	jae .mapped
	test ebx, ebx
	jnz .next
.mapped:
	cli
	mov al, 0xff			; mask both PICs
	out 0x21, al
	out 0xa1, al
	in al, 0x92			; A20 on, no reset
	or al, 2
	and al, 0xfe
	out 0x92, al
	o32 lgdt [cs:gdtr]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword 0x08:(0xc0000 + protected)

bits 32
protected:
	mov ax, 0x18
	mov ds, ax
	mov es, ax
	mov fs, ax
	mov gs, ax
	mov ss, ax
	mov esp, E820_LOW
	mov al, CMOS_STARTED
	out 0x70, al
	in al, 0x71
	cmp al, STARTED
	mov esi, 0xc0000 + was_reset
	je complain
	mov al, STARTED
	out 0x71, al
	mov esi, SCRATCH
.pad:
	cmp esi, SCRATCH + PAD_BLOCKS * BLOCK
	jae bad_layout
	mov eax, [esi]
	add esi, BLOCK
	cmp eax, PAD_BLOCKS - 1
	jne .pad
	mov esi, LOAD_BASE
.touch:
	mov al, [esi]
	add esi, BLOCK
	cmp esi, BLOB_END
	jb .touch
	cmp dword [HANDOFF], SIGNATURE
	jne bad_layout
	; The memory map goes where boot_params wants it.
	mov eax, [E820_LOW]
	mov [BOOT_DATA + BP_E820_COUNT], al
	imul ecx, eax, 5
	mov esi, E820_LOW + 4
	mov edi, BOOT_DATA + BP_E820_TABLE
	rep movsd
	mov eax, cr4
	or eax, 0x20			; PAE
	mov cr4, eax
	mov eax, PAGE_TABLES
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, 0x100			; LME
	wrmsr
	mov eax, cr0
	or eax, 0x80000000
	mov cr0, eax
	jmp 0x10:(0xc0000 + long_mode)

bad_layout:
	mov esi, 0xc0000 + not_linear
complain:
.say:
	lodsb
	test al, al
	jz .off
	out 0xe9, al
	jmp .say
.off:
	mov edx, 0x8900			; Bochs' power switch
	mov esi, 0xc0000 + shutdown
.press:
	lodsb
	test al, al
	jz $
	out dx, al
	jmp .press

not_linear:
	db "lab: memory blocks are not where the loader expects them", 10, 0
was_reset:
	db "lab: the machine was reset", 10, 0
shutdown:
	db "Shutdown", 0

bits 64
long_mode:
	mov esi, BOOT_DATA
	mov rbx, [abs HANDOFF + 8]
	xor ebp, ebp
	xor edi, edi
	rdtsc
	shl rdx, 32
	or rdx, rax
	mov ecx, mark_end - mark
	lea r8, [abs 0xc0000 + mark]
.mark:
	mov al, [r8]
	out 0xe9, al
	inc r8
	loop .mark
	mov ecx, 16
.digit:
	rol rdx, 4
	mov al, dl
	and al, 15
	add al, '0'
	cmp al, '9'
	jbe .send
	add al, 'a' - '9' - 1
.send:
	out 0xe9, al
	loop .digit
	mov al, 0x1e
	out 0xe9, al
	; What is measured begins: emulator/hooks.cc. Does nothing elsewhere.
	prefetcht2 [abs 0x7a6d0001]
	jmp rbx

mark:	db 0, 0x1e, "lab-ticks:"
mark_end:

align 8
gdt:	dq 0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	dw gdtr - gdt - 1
	dd 0xc0000 + gdt

	; The last byte is the checksum, patched in by directboot.py.
	times ROM_BLOCKS * 512 - ($ - $$) db 0
