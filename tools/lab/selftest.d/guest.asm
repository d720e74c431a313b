; SPDX-License-Identifier: GPL-2.0-only
; A multiboot guest that ends as `lab baremetal` documents, with status 11.
; It prints its command line without the first word, the file's name.
COM1	equ 0x3f8

bits 32
global start
section .multiboot
align 4
	dd 0x1badb002, 0, -0x1badb002

section .text
start:
	mov esp, stack_top
	cmp eax, 0x2badb002
	jne end
	mov esi, [ebx + 16]
.word:
	lodsb
	cmp al, ' '
	jne .word
	call print
	mov esi, exit_line
	call print
.empty:
	mov dx, COM1 + 5
	in al, dx
	test al, 0x40
	jz .empty
	mov al, 5
	out 0xf4, al
end:
	mov esi, shutdown
	mov dx, 0x8900
.press:
	lodsb
	out dx, al
	test al, al
	jnz .press
.halt:
	cli
	hlt
	jmp .halt

print:
	lodsb
	test al, al
	jz .done
	mov ah, al
	mov dx, COM1 + 5
.wait:
	in al, dx
	test al, 0x20
	jz .wait
	mov dx, COM1
	mov al, ah
	out dx, al
	jmp print
.done:
	ret

section .data
exit_line:	db 10, "EXIT 5", 10, 0
shutdown:	db "Shutdown", 0

section .bss
	resb 4096
stack_top:
