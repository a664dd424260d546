// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What encoding a page needs, one set for each CPU that is there, for all devices together. A stream is locked by a mutex,
 * so who has it may sleep and even wake on another CPU; nearly always it is free. A CPU that goes takes its buffers with it:
 * whoever then finds none looks for the stream of the CPU where he is now.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "memdrive.h"

static DEFINE_PER_CPU(struct md_stream, streams);
static enum cpuhp_state hotplug_state;

static void release(struct md_stream *s)
{
	md_density_stream_release(s);
	kfree(s->copy);
	s->copy = NULL;
	kvfree(s->work);
	s->work = NULL;
	kfree(s->out);
	s->out = NULL;
}

static int cpu_prepare(unsigned int cpu)
{
	struct md_stream *s = per_cpu_ptr(&streams, cpu);
	void *out;
	int r = -ENOMEM;

	/* Without the lock, as this may write pages to us. Nobody looks at the rest before `out` is there. */
	out = kmalloc_node(PAGE_SIZE, GFP_KERNEL, cpu_to_node(cpu));
	s->work = kvmalloc_node(VD_PAGE_WORK_SIZE, GFP_KERNEL, cpu_to_node(cpu));
	if (MD_ZS_COPIES)
		s->copy = kmalloc_node(PAGE_SIZE, GFP_KERNEL, cpu_to_node(cpu));
	if (!out || !s->work || (MD_ZS_COPIES && !s->copy))
		goto err_release;
	r = md_density_stream_prepare(s, cpu);
	if (r)
		goto err_release;
	mutex_lock(&s->lock);
	s->out = out;
	mutex_unlock(&s->lock);
	return 0;

err_release:
	release(s);
	kfree(out);
	return r;
}

static int cpu_dead(unsigned int cpu)
{
	struct md_stream *s = per_cpu_ptr(&streams, cpu);

	mutex_lock(&s->lock);
	release(s);
	mutex_unlock(&s->lock);
	return 0;
}

int md_streams_init(void)
{
	unsigned int cpu;
	int r;

	for_each_possible_cpu(cpu) mutex_init(&per_cpu_ptr(&streams, cpu)->lock);
	r = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "block/memdrive:prepare", cpu_prepare,
			      cpu_dead);
	if (r < 0)
		return r;
	hotplug_state = r;
	return 0;
}

void md_streams_exit(void)
{
	cpuhp_remove_state(hotplug_state);
}

struct md_stream *md_stream_get(void)
{
	for (;;) {
		struct md_stream *s = raw_cpu_ptr(&streams);

		mutex_lock(&s->lock);
		if (likely(s->out))
			return s;
		mutex_unlock(&s->lock);
	}
}

void md_stream_put(struct md_stream *s)
{
	mutex_unlock(&s->lock);
}

void *md_stream_copy_get(void)
{
	/* A CPU that runs has its buffers: they come before it does and go after it has gone. */
	return get_cpu_ptr(&streams)->copy;
}

void md_stream_copy_put(void)
{
	put_cpu_ptr(&streams);
}

size_t md_streams_memory(void)
{
	return num_online_cpus() * (PAGE_SIZE + VD_PAGE_WORK_SIZE + (MD_ZS_COPIES ? PAGE_SIZE : 0));
}
