// SPDX-License-Identifier: GPL-2.0-only
/*
 * --audit: before the VM goes, let the module compare every guest mapping it
 * holds with what the guest's page tables and the memory slots say.
 *
 * The number of wrong ones is what /sys/kernel/debug/tandem/<pid>-<n>/audit
 * reads as; the kernel's log names them.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "util.h"

/**
 * tdm_audit() - check this process's VM
 *
 * Return: 0 if every mapping is right, -EIO if some are not, -ENOENT if the
 * module does not offer the file; both are reported.
 */
int tdm_audit(void)
{
	unsigned long long findings;
	char pattern[64];
	int ret = -ENOENT;
	glob_t found;
	FILE *file;

	snprintf(pattern, sizeof(pattern),
		 "/sys/kernel/debug/tandem/%d-*/audit", getpid());
	if (glob(pattern, 0, NULL, &found)) {
		tdm_error("--audit: no %s; is debugfs mounted, and this root?",
			  pattern);
		return -ENOENT;
	}
	file = fopen(found.gl_pathv[0], "re");
	if (!file || fscanf(file, "%llu", &findings) != 1) {
		tdm_error("--audit: cannot read %s: %s", found.gl_pathv[0],
			  strerror(errno));
	} else if (findings) {
		tdm_error("--audit: %llu guest mappings are wrong; 'dmesg' has the first ones",
			  findings);
		ret = -EIO;
	} else {
		ret = 0;
	}
	if (file)
		fclose(file);
	globfree(&found);
	return ret;
}
