// SPDX-License-Identifier: GPL-2.0-only
/*
 * Enters a guest of two instructions, the only proof that an engine works.
 *
 * The guest loads a value and writes it to the exit port in 64-bit mode;
 * anything else than that value coming out within the time limit is a failure.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "load.h"
#include "machine.h"
#include "probe.h"
#include "util.h"

#define PROBE_CODE 0x10000
#define PROBE_VALUE 0x2a
#define PROBE_MS 10000

static const uint8_t code[] = {
	0xb0, PROBE_VALUE,   /* mov $PROBE_VALUE, %al */
	0xe6, TDM_EXIT_PORT, /* out %al, $TDM_EXIT_PORT */
};

static int prepare(struct tdm_machine *m)
{
	struct tdm_entry entry = { .mode = TDM_ENTRY_LONG64,
				   .rip = PROBE_CODE };
	int err = tdm_mem_write(&m->mem, PROBE_CODE, code, sizeof(code),
				"the probe");

	if (!err)
		err = tdm_linux_long_mode(&m->mem);
	return err ? err : tdm_machine_add_vcpus(m, &entry);
}

static int enter(struct tdm_machine *m)
{
	struct pollfd fd = { .fd = m->wake_fd, .events = POLLIN };
	int err = tdm_vcpu_start(&m->vcpu[0]);

	if (err)
		return err;
	if (poll(&fd, 1, PROBE_MS) <= 0) {
		tdm_error("the probe guest did not come to an end in %u s",
			  PROBE_MS / 1000);
		tdm_machine_end(m, TDM_END_TIMEOUT, 0);
	}
	if (!tdm_machine_stop(m)) {
		tdm_error(
			"the probe guest's vCPU does not leave the kernel; see dmesg");
		return -EBUSY;
	}
	if (m->end == TDM_END_EXITPORT && m->end_value == PROBE_VALUE)
		return 0;
	if (m->end == TDM_END_EXITPORT)
		tdm_error("the probe guest computed %d instead of %d",
			  m->end_value, PROBE_VALUE);
	return -EIO;
}

/**
 * tdm_probe() - run the probe guest.
 * @device: path
 * @choice: engine and MMU mode to use
 *
 * Return: 0, or a negative errno, reported. -EBUSY: a vCPU is stuck and the
 * process should end.
 */
int tdm_probe(const char *device, const struct tdm_engine_choice *choice)
{
	static struct tdm_machine m; /* too big for the stack */
	struct tdm_machine_config config = {
		.device = device,
		.engine = *choice,
		.mem = TDM_MEM_MIN,
		.cpus = 1,
	};
	int err = tdm_machine_init(&m, &config);

	if (!err)
		err = prepare(&m);
	if (!err)
		err = enter(&m);
	if (err != -EBUSY)
		tdm_machine_destroy(&m);
	return err;
}
