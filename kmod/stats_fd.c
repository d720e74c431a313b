// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_STATS_FD: a file that holds a VM's or a vCPU's counters and says what
 * each is (KVM's API document, 4.133):
 *
 *   struct kvm_stats_header, the owner's name, a descriptor and a name for each
 *   counter, the values
 *
 * All but the values is the same in each read. The list is stats.h; what kind a
 * counter is follows from its own words, see flags_of().
 *
 * Beware: the file keeps its VM alive.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "kmod/core.h"
#include "kmod/stats_fd.h"

#define NAME_SIZE	48u

/* A descriptor with its name. */
struct desc {
	struct kvm_stats_desc d;
	char name[NAME_SIZE];
};

static_assert(sizeof(struct desc) == sizeof(struct kvm_stats_desc) + NAME_SIZE);

/**
 * struct layout - what a file holds
 * @desc: counters' names
 * @n: how many
 */
struct layout {
	const struct tdm_stat_desc *desc;
	unsigned int n;
};

static const struct layout vm_layout = { tdm_vm_stat_desc, TDM_NR_VM_STATS };
static const struct layout vcpu_layout = { tdm_vcpu_stat_desc, TDM_NR_VCPU_STATS };

#define DESC_OFFSET	(sizeof(struct kvm_stats_header) + NAME_SIZE)

static size_t data_offset(const struct layout *l)
{
	return DESC_OFFSET + l->n * sizeof(struct desc);
}

static size_t file_size(const struct layout *l)
{
	return data_offset(l) + l->n * sizeof(u64);
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* By the list's conventions: "x_ns", "x_bytes"; "... held now", and all others only grow. */
static u32 flags_of(const struct tdm_stat_desc *d)
{
	u32 flags = KVM_STATS_BASE_POW10;

	flags |= ends_with(d->text, " now") ? KVM_STATS_TYPE_INSTANT :
					      KVM_STATS_TYPE_CUMULATIVE;
	if (ends_with(d->name, "_ns"))
		flags |= KVM_STATS_UNIT_SECONDS;
	else if (ends_with(d->name, "_bytes"))
		flags |= KVM_STATS_UNIT_BYTES;
	else
		flags |= KVM_STATS_UNIT_NONE;
	return flags;
}

static void describe(const struct tdm_stat_desc *from, unsigned int i, struct desc *to)
{
	to->d.flags = flags_of(from);
	to->d.exponent = ends_with(from->name, "_ns") ? -9 : 0;
	to->d.size = 1;
	to->d.offset = i * sizeof(u64);
	strscpy(to->name, from->name, sizeof(to->name));
}

static void fill(void *buf, const struct layout *l, const char *owner)
{
	struct kvm_stats_header *h = buf;
	struct desc *d = buf + DESC_OFFSET;
	unsigned int i;

	h->name_size = NAME_SIZE;
	h->num_desc = l->n;
	h->id_offset = sizeof(*h);
	h->desc_offset = DESC_OFFSET;
	h->data_offset = data_offset(l);
	strscpy(buf + h->id_offset, owner, NAME_SIZE);
	for (i = 0; i < l->n; i++)
		describe(&l->desc[i], i, &d[i]);
}

static void vm_values(const struct tdm_vm *vm, u64 *val)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_VM_STATS; i++)
		val[i] = atomic64_read(&vm->stat[i]);
}

static void vcpu_values(const struct tdm_vcpu *vcpu, u64 *val)
{
	unsigned int i;

	for (i = 0; i < TDM_NR_VCPU_STATS; i++)
		val[i] = READ_ONCE(vcpu->stat[i]);
}

/* Of the VM if @vcpu is NULL. */
static ssize_t read_stats(struct tdm_vm *vm, struct tdm_vcpu *vcpu, char __user *to,
			  size_t size, loff_t *pos)
{
	const struct layout *l = vcpu ? &vcpu_layout : &vm_layout;
	char owner[NAME_SIZE];
	ssize_t r;
	void *buf;

	buf = kvzalloc(file_size(l), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	/* Tools tell VMs from vCPUs by this name; it is KVM's. */
	if (vcpu) {
		snprintf(owner, sizeof(owner), "kvm-%s/vcpu-%u", vm->name, vcpu->id);
		vcpu_values(vcpu, buf + data_offset(l));
	} else {
		snprintf(owner, sizeof(owner), "kvm-%s", vm->name);
		vm_values(vm, buf + data_offset(l));
	}
	fill(buf, l, owner);
	r = simple_read_from_buffer(to, size, pos, buf, file_size(l));
	kvfree(buf);
	return r;
}

static ssize_t vm_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	return read_stats(file->private_data, NULL, to, size, pos);
}

static int vm_release(struct inode *inode, struct file *file)
{
	tdm_vm_put(file->private_data);
	return 0;
}

static ssize_t vcpu_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	struct tdm_vcpu *vcpu = file->private_data;

	return read_stats(vcpu->vm, vcpu, to, size, pos);
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct tdm_vcpu *vcpu = file->private_data;

	tdm_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vm_stats_fops = {
	.owner		= THIS_MODULE,
	.read		= vm_read,
	.release	= vm_release,
	.llseek		= noop_llseek,
};

static const struct file_operations vcpu_stats_fops = {
	.owner		= THIS_MODULE,
	.read		= vcpu_read,
	.release	= vcpu_release,
	.llseek		= noop_llseek,
};

static int make_fd(struct tdm_vm *vm, const char *name, const struct file_operations *fops,
		   void *owner)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, owner, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	kref_get(&vm->ref);
	/* Values are read by pread(), without the rest. */
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}

/** tdm_stats_vm_fd() - KVM_GET_STATS_FD on a VM. Return: the descriptor, or an errno */
int tdm_stats_vm_fd(struct tdm_vm *vm)
{
	return make_fd(vm, "tandem-vm-stats", &vm_stats_fops, vm);
}

/** tdm_stats_vcpu_fd() - KVM_GET_STATS_FD on a vCPU. Return: the descriptor, or an errno */
int tdm_stats_vcpu_fd(struct tdm_vcpu *vcpu)
{
	return make_fd(vcpu->vm, "tandem-vcpu-stats", &vcpu_stats_fops, vcpu);
}
