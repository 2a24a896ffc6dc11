// SPDX-License-Identifier: GPL-2.0-only
/*
 * debugfs: all contexts, for root.
 *
 * /sys/kernel/debug/chunk/contexts has the counters of each context, in the form of
 * /proc/PID/fdinfo: also of contexts whose descriptor is closed, which live on in
 * their mappings. /sys/kernel/debug/chunk/extents has the extents of each, cut where
 * the state of their pages changes. Addresses are those of the owners.
 *
 * A reader holds a reference to the context that it shows, and no lock: contexts come
 * and go meanwhile, and so do extents. So the whole is no snapshot; each line is one.
 */
#include <linux/debugfs.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "chunk_module.h"

/**
 * struct debugfs_reader - the place at which a reader is
 * @context: the context, with a reference; NULL at the end
 * @run:     extents: the run of pages to be shown
 */
struct debugfs_reader {
	struct chunk_context *context;
	struct chunk_run run;
};

static void debugfs_show_owner(struct seq_file *m, struct pid *owner)
{
	struct task_struct *task;
	char comm[TASK_COMM_LEN] = "";

	rcu_read_lock();
	task = pid_task(owner, PIDTYPE_TGID);
	if (task)
		get_task_comm(comm, task);
	rcu_read_unlock();
	seq_printf(m, "chunk-pid:\t%d\nchunk-comm:\t", pid_vnr(owner));
	seq_escape(m, comm, "\n\\");
	seq_putc(m, '\n');
}

static int debugfs_show_context(struct seq_file *m, void *v)
{
	struct debugfs_reader *reader = m->private;

	seq_printf(m, "chunk-context:\t%llu\n", reader->context->id);
	debugfs_show_owner(m, reader->context->owner);
	chunk_report_show(m, reader->context);
	seq_putc(m, '\n');
	return 0;
}

static const char *debugfs_state(const struct chunk_run *run)
{
	bool decommitted = run->state & CHUNK_STATE_DECOMMITTED;

	if (run->state & CHUNK_STATE_LIVE) {
		if (run->offered)
			return "offered";
		return decommitted ? "decommitted" : "live";
	}
	return run->state & CHUNK_STATE_RECYCLED ? "recycled" : "retained";
}

static int debugfs_show_extent(struct seq_file *m, void *v)
{
	struct debugfs_reader *reader = m->private;
	const struct chunk_run *run = &reader->run;

	seq_printf(m, "%llu %d %lx-%lx %s %lx-%lx\n", reader->context->id,
		   pid_vnr(reader->context->owner), run->start, run->end,
		   debugfs_state(run), run->extent, run->extent + run->length);
	return 0;
}

/* Go to the next context, or with a reader at the end to the first. */
static void debugfs_go_on(struct debugfs_reader *reader)
{
	reader->context = chunk_context_next(reader->context);
	reader->run = (struct chunk_run){ 0 };
}

static void *debugfs_here(struct debugfs_reader *reader)
{
	return reader->context ? reader : NULL;
}

static void debugfs_rewind(struct debugfs_reader *reader)
{
	if (reader->context)
		chunk_context_put(reader->context);
	reader->context = NULL;
	debugfs_go_on(reader);
}

/* At another position than 0, the reader is there already. */
static void *debugfs_start_context(struct seq_file *m, loff_t *pos)
{
	struct debugfs_reader *reader = m->private;

	if (!*pos)
		debugfs_rewind(reader);
	return debugfs_here(reader);
}

static void *debugfs_next_context(struct seq_file *m, void *v, loff_t *pos)
{
	struct debugfs_reader *reader = m->private;

	++*pos;
	debugfs_go_on(reader);
	return debugfs_here(reader);
}

/* Find the next run, in whatever context. */
static void *debugfs_find_run(struct debugfs_reader *reader)
{
	while (reader->context) {
		if (chunk_report_next_run(reader->context, &reader->run))
			return reader;
		debugfs_go_on(reader);
		cond_resched();
	}
	return NULL;
}

static void *debugfs_start_extent(struct seq_file *m, loff_t *pos)
{
	struct debugfs_reader *reader = m->private;

	if (*pos)
		return debugfs_here(reader);
	debugfs_rewind(reader);
	return debugfs_find_run(reader);
}

static void *debugfs_next_extent(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return debugfs_find_run(m->private);
}

/* The reference is kept from one read to the next. */
static void debugfs_stop(struct seq_file *m, void *v)
{
}

static const struct seq_operations debugfs_contexts_ops = {
	.start = debugfs_start_context,
	.next = debugfs_next_context,
	.stop = debugfs_stop,
	.show = debugfs_show_context,
};

static const struct seq_operations debugfs_extents_ops = {
	.start = debugfs_start_extent,
	.next = debugfs_next_extent,
	.stop = debugfs_stop,
	.show = debugfs_show_extent,
};

static int debugfs_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, inode->i_private,
				sizeof(struct debugfs_reader));
}

static int debugfs_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct debugfs_reader *reader = m->private;

	if (reader->context)
		chunk_context_put(reader->context);
	return seq_release_private(inode, file);
}

/* The owner keeps the module as long as a reader may hold a context. */
static const struct file_operations debugfs_fops = {
	.owner = THIS_MODULE,
	.open = debugfs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = debugfs_release,
};

static struct dentry *debugfs_dir;

/**
 * chunk_debugfs_init() - make the files in debugfs
 *
 * Without debugfs, or without memory, there are none, which nothing depends on.
 *
 * Context: may sleep.
 */
void chunk_debugfs_init(void)
{
	debugfs_dir = debugfs_create_dir("chunk", NULL);
	debugfs_create_file("contexts", 0400, debugfs_dir,
			    (void *)&debugfs_contexts_ops, &debugfs_fops);
	debugfs_create_file("extents", 0400, debugfs_dir,
			    (void *)&debugfs_extents_ops, &debugfs_fops);
}

/**
 * chunk_debugfs_exit() - remove the files
 *
 * Context: may sleep; no file is open.
 */
void chunk_debugfs_exit(void)
{
	debugfs_remove_recursive(debugfs_dir);
}
