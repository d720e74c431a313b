// SPDX-License-Identifier: GPL-2.0-only
/*
 * Register dump of a vCPU that cannot go on: what a report needs, on stderr.
 *
 * Called from the vCPU's own thread, which is not in KVM_RUN. The guest's state
 * may be nonsense: memory is read only through the device's own translation and
 * bounds-checked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine.h"
#include "util.h"

static const char *mode_name(const struct kvm_sregs *s)
{
	if (!(s->cr0 & 1))
		return "real mode";
	if (s->efer & (1U << 10))
		return s->cs.l ? "64-bit mode" : "compatibility mode";
	return s->cs.db ? "32-bit protected mode" : "16-bit protected mode";
}

static void dump_segment(const char *name, const struct kvm_segment *s)
{
	tdm_say("  %-3s %04x base %016llx limit %08x type %x s %u dpl %u p %u db %u l %u g %u",
		name, s->selector, (unsigned long long)s->base, s->limit,
		s->type, s->s, s->dpl, s->present, s->db, s->l, s->g);
}

static void dump_sregs(const struct kvm_sregs *s)
{
	dump_segment("cs", &s->cs);
	dump_segment("ss", &s->ss);
	dump_segment("ds", &s->ds);
	dump_segment("es", &s->es);
	dump_segment("fs", &s->fs);
	dump_segment("gs", &s->gs);
	dump_segment("tr", &s->tr);
	dump_segment("ldt", &s->ldt);
	tdm_say("  gdt %016llx limit %04x  idt %016llx limit %04x",
		(unsigned long long)s->gdt.base, s->gdt.limit,
		(unsigned long long)s->idt.base, s->idt.limit);
	tdm_say("  cr0 %016llx cr2 %016llx cr3 %016llx",
		(unsigned long long)s->cr0, (unsigned long long)s->cr2,
		(unsigned long long)s->cr3);
	tdm_say("  cr4 %016llx cr8 %016llx efer %016llx apic %016llx",
		(unsigned long long)s->cr4, (unsigned long long)s->cr8,
		(unsigned long long)s->efer, (unsigned long long)s->apic_base);
}

static void dump_regs(const struct kvm_regs *r)
{
	const unsigned long long v[] = { r->rax, r->rbx, r->rcx, r->rdx,
					 r->rsi, r->rdi, r->rsp, r->rbp,
					 r->r8,	 r->r9,	 r->r10, r->r11,
					 r->r12, r->r13, r->r14, r->r15 };
	static const char names[][4] = { "rax", "rbx", "rcx", "rdx",
					 "rsi", "rdi", "rsp", "rbp",
					 "r8 ", "r9 ", "r10", "r11",
					 "r12", "r13", "r14", "r15" };

	tdm_say("  rip %016llx rflags %08llx", (unsigned long long)r->rip,
		(unsigned long long)r->rflags);
	for (unsigned int i = 0; i < ARRAY_SIZE(v); i += 4)
		tdm_say("  %s %016llx %s %016llx %s %016llx %s %016llx",
			names[i], v[i], names[i + 1], v[i + 1], names[i + 2],
			v[i + 2], names[i + 3], v[i + 3]);
}

/* The bytes at the instruction pointer, as far as they can be had. */
static void dump_code(const struct tdm_vcpu *v, uint64_t linear)
{
	const struct tdm_memory *mem = &v->machine->mem;
	char text[16 * 3 + 1] = "";

	for (unsigned int i = 0; i < 16; i++) {
		struct kvm_translation t = { .linear_address = linear + i };
		int byte = -1;

		if (!ioctl(v->fd, KVM_TRANSLATE, &t) && t.valid)
			byte = tdm_mem_peek(mem, t.physical_address);
		else if (errno == ENOTTY || errno == EINVAL)
			/* no such ioctl: try as if not translated */
			byte = tdm_mem_peek(mem, linear + i);
		if (byte >= 0)
			sprintf(text + 3 * i, " %02x", (unsigned int)byte);
		else
			strcpy(text + 3 * i, " ??");
	}
	tdm_say("  code at %016llx:%s", (unsigned long long)linear, text);
}

/** tdm_dump_vcpu() - print mode, registers and code bytes; own thread only. */
void tdm_dump_vcpu(const struct tdm_vcpu *v)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	if (ioctl(v->fd, KVM_GET_REGS, &r) < 0 ||
	    ioctl(v->fd, KVM_GET_SREGS, &s) < 0) {
		tdm_say("vCPU %u: registers cannot be read: %s", v->id,
			strerror(errno));
		return;
	}
	tdm_say("vCPU %u in %s:", v->id, mode_name(&s));
	dump_regs(&r);
	dump_sregs(&s);
	dump_code(v,
		  (s.efer & (1U << 10)) && s.cs.l ? r.rip : s.cs.base + r.rip);
}
