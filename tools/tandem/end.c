// SPDX-License-Identifier: GPL-2.0-only
/* Exit status and closing message for each way a run can end. */
#include <string.h>

#include "end.h"
#include "util.h"

struct ending {
	int status;
	bool failure; /* is the message worth an error, or only a --verbose
			 note? */
	const char *text;
};

static const struct ending endings[TDM_END_MAX] = {
	[TDM_END_POWEROFF] = { TDM_EXIT_OK, false, "the guest powered off" },
	[TDM_END_RESET] = { TDM_EXIT_RESET, false,
			    "the guest reset the machine" },
	[TDM_END_EXITPORT] = { 1, false,
			       "the guest wrote its status to port 0xf4" },
	[TDM_END_TRIPLE] = { TDM_EXIT_TRIPLE, true,
			     "the guest made a triple fault (registers above; 'reboot=t' does this on purpose)" },
	[TDM_END_HALTED] = { TDM_EXIT_HALTED, true,
			     "the guest halted with nothing that could wake it" },
	[TDM_END_INTERNAL] = { TDM_EXIT_INTERNAL, true,
			       "the guest cannot go on; the lines above say why" },
	[TDM_END_TIMEOUT] = { TDM_EXIT_TIMEOUT, true,
			      "the guest ran longer than --timeout allows" },
	[TDM_END_USER] = { TDM_EXIT_USER, false, "ended by Ctrl-A x" },
	[TDM_END_SIGNAL] = { 128, false, "ended by a signal" },
	[TDM_END_CONSOLE] = { TDM_EXIT_CONSOLE, true,
			      "standard output cannot be written; the guest's console is lost" },
	[TDM_END_HOST] = { TDM_EXIT_HOST, true,
			   "the device failed; the lines above say how" },
};

/** tdm_end_status() - exit status for an ending; @value: signal, or what 0xf4
 * got. */
int tdm_end_status(enum tdm_end why, int value)
{
	if (why <= TDM_END_NONE || why >= TDM_END_MAX)
		return TDM_EXIT_INTERNAL;
	if (why == TDM_END_EXITPORT)
		return (value & 0x7f) << 1 | 1;
	if (why == TDM_END_SIGNAL)
		return 128 + (value & 0x7f);
	return endings[why].status;
}

/** tdm_end_say() - tell how the run ended: failures always, the rest with
 * --verbose. */
void tdm_end_say(enum tdm_end why, int value)
{
	if (why <= TDM_END_NONE || why >= TDM_END_MAX)
		return;
	if (endings[why].failure)
		tdm_error("%s (exit status %d)", endings[why].text,
			  tdm_end_status(why, value));
	else
		tdm_note("%s (exit status %d)", endings[why].text,
			 tdm_end_status(why, value));
}
