; SPDX-License-Identifier: GPL-2.0-only
;
; Second stage for multiboot-1 kernels on Bochs: loader.asm jumps here in 64-bit
; mode, as it would into Linux. Goes back to 32-bit protected mode without
; paging, puts the segments where the ELF file wants them and enters it as the
; multiboot specification (0.6.96, section 3.2) says.
;
; lablib/multiboot.py appends the table of segments and their bytes.
; Defined on the command line: LOAD (our physical address), BOOT_DATA,
; COMMAND_LINE (in the boot data).

INFO		equ 0x70000		; multiboot information
MEMORY_MAP	equ 0x70100
NAME		equ 0x70080
TEXT		equ 0x70800		; command line, at most 2 KiB
MAGIC		equ 0x2badb002
FLAGS		equ 0x245		; memory, command line, map, loader name
COM1		equ 0x3f8
MSR_EFER	equ 0xc0000080

org LOAD
bits 64
start:
	lgdt [abs gdtr]
	mov rsp, INFO
	push 0x08
	mov rax, legacy
	push rax
	retfq

bits 32
legacy:
	mov eax, 0x11			; PE, ET: paging off
	mov cr0, eax
	mov ecx, MSR_EFER
	xor eax, eax
	xor edx, edx
	wrmsr
	mov cr4, eax
	mov cr3, eax
	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov fs, ax
	mov gs, ax
	mov ss, ax
	cld

	; COM1 at 115200 baud, 8N1: the BIOS leaves it slower.
	mov dx, COM1 + 3
	mov al, 0x83
	out dx, al
	mov dx, COM1
	mov al, 1
	out dx, al
	inc dx
	mov al, 0
	out dx, al
	mov dx, COM1 + 3
	mov al, 3
	out dx, al

	; Segments: destination, source, bytes to copy, bytes in memory.
	mov ebx, table
	mov ebp, [ebx + 4]		; number
.segment:
	mov edi, [ebx + 8]
	mov esi, [ebx + 12]
	mov ecx, [ebx + 16]
	mov edx, [ebx + 20]
	sub edx, ecx
	rep movsb
	mov ecx, edx
	xor eax, eax
	rep stosb
	add ebx, 16
	dec ebp
	jnz .segment

	; Information.
	mov edi, INFO
	mov ecx, (TEXT - INFO) / 4
	xor eax, eax
	rep stosd
	mov esi, name
	mov edi, NAME
	mov ecx, name_end - name
	rep movsb
	mov esi, COMMAND_LINE
	mov edi, TEXT
	mov ecx, 512
	rep movsd
	mov dword [INFO + 0], FLAGS
	mov dword [INFO + 16], TEXT
	mov dword [INFO + 44], 0
	mov dword [INFO + 48], MEMORY_MAP
	mov dword [INFO + 64], NAME

	; Memory map out of boot_params; memory below and above 1 MiB from it.
	movzx ebp, byte [BOOT_DATA + 0x1e8]
	mov esi, BOOT_DATA + 0x2d0
	mov edi, MEMORY_MAP
.entry:
	cmp dword [esi + 16], 1
	jne .copy
	cmp dword [esi], 0
	jne .high
	mov eax, [esi + 8]
	shr eax, 10
	mov [INFO + 4], eax
	jmp .copy
.high:
	cmp dword [esi], 0x100000
	jne .copy
	mov eax, [esi + 8]
	shr eax, 10
	mov [INFO + 8], eax
.copy:
	mov eax, 20
	stosd
	mov ecx, 5
	rep movsd
	add dword [INFO + 44], 24
	dec ebp
	jnz .entry

	mov ecx, [table]		; entry
	mov ebx, INFO
	mov eax, MAGIC
	xor esi, esi
	xor edi, edi
	xor edx, edx
	jmp ecx

name:	db "tandem lab", 0
name_end:
align 8
gdt:	dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:	dw gdtr - gdt - 1
	dq gdt
align 16
table:
