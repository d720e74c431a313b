/* SPDX-License-Identifier: GPL-2.0-only */
/* Proof that a device can run a guest: enter one of two instructions. */
#ifndef TANDEM_PROBE_H
#define TANDEM_PROBE_H

#include "kvm.h"

int tdm_probe(const char *device, const struct tdm_engine_choice *choice);

#endif
