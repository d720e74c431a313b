/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random guest code for the translator's tests: kernel-like, decodable, and
 * such that it can run in this process.
 */
#ifndef BT_GEN_H
#define BT_GEN_H

#include <stdbool.h>

#include "arch/x86/emul/port.h"

/**
 * struct bt_gen - generator
 * @seed: state of the random numbers
 * @rip: address the code is for
 * @data, @data_len: memory that operands shall hit
 */
struct bt_gen {
	u64 seed;
	u64 rip;
	u64 data;
	u32 data_len;
};

u64 bt_random(struct bt_gen *g);
u32 bt_below(struct bt_gen *g, u32 n);
u64 bt_data_address(struct bt_gen *g);
unsigned int bt_gen_code(struct bt_gen *g, u8 *code, unsigned int room);

#endif /* BT_GEN_H */
