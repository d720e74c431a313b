/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Offsets in struct tdm_regs for assembly. Every engine that uses them asserts
 * that they are right (vmx.h, bt/world.c).
 */
#ifndef TDM_REGS_H
#define TDM_REGS_H

#define REG_RAX		0
#define REG_RCX		8
#define REG_RDX		16
#define REG_RBX		24
#define REG_RBP		40
#define REG_RSI		48
#define REG_RDI		56
#define REG_R8		64
#define REG_R9		72
#define REG_R10		80
#define REG_R11		88
#define REG_R12		96
#define REG_R13		104
#define REG_R14		112
#define REG_R15		120

#endif /* TDM_REGS_H */
