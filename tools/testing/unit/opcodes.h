/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every opcode with every kind of prefix and operand, for tests that want to
 * meet each instruction at least once.
 */
#ifndef OPCODES_H
#define OPCODES_H

#include "arch/x86/emul/port.h"

void opcodes_each(void (*look_at)(const u8 *code));

#endif /* OPCODES_H */
