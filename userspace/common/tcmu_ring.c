// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "userspace/common/tcmu_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/cleanup.h"

/* The kernel's header has the type by the same name. */
#define iovec vd_kernel_iovec
#include <linux/target_core_user.h>
#undef iovec

_Static_assert(VD_TCMU_SENSE_MAX == TCMU_SENSE_BUFFERSIZE, "the kernel's");

static struct tcmu_mailbox *mailbox(const struct vd_tcmu_ring *r)
{
	return (struct tcmu_mailbox *)r->map;
}

static int broken(struct vd_error *err, const char *what, uint32_t at)
{
	return vd_error_set(err, -EBADMSG, "the kernel's command ring: %s at %u", what, at);
}

int vd_tcmu_ring_init(struct vd_tcmu_ring *r, void *map, size_t size, struct vd_error *err)
{
	const struct tcmu_mailbox *m = map;

	*r = (struct vd_tcmu_ring){ .fd = -1, .map = map, .size = size };
	if (size < sizeof(*m))
		return broken(err, "no mailbox", 0);
	if (m->version != TCMU_MAILBOX_VERSION)
		return vd_error_set(err, -EPROTO,
				    "the kernel's command ring has version %u, not %u", m->version,
				    TCMU_MAILBOX_VERSION);
	r->first = m->cmdr_off;
	r->len = m->cmdr_size;
	r->read_len = m->flags & TCMU_MAILBOX_FLAG_CAP_READ_LEN;
	r->next = r->tail = m->cmd_tail;
	if (r->first < sizeof(*m) || r->first % TCMU_OP_ALIGN_SIZE || r->first > size || !r->len ||
	    r->len % TCMU_OP_ALIGN_SIZE || r->len > size - r->first)
		return broken(err, "it lies outside its memory", r->first);
	if (r->tail >= r->len || r->tail % TCMU_OP_ALIGN_SIZE)
		return broken(err, "its end lies outside it", r->tail);
	return 0;
}

/* "/dev/uio3" -> the bytes of its memory. */
static int map_size(const char *uio, size_t *size, struct vd_error *err)
{
	char path[96];
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long n;

	snprintf(path, sizeof(path), "/sys/class/uio/%s/maps/map0/size", uio + strlen("/dev/"));
	f = fopen(path, "re");
	if (!f)
		return vd_error_errno(err, -errno, "%s", path);
	if (fscanf(f, "%llx", &n) != 1 || !n || n > SIZE_MAX / 2)
		return vd_error_set(err, -EBADMSG, "%s: not a size", path);
	*size = (size_t)n;
	return 0;
}

int vd_tcmu_ring_open(const char *uio, struct vd_tcmu_ring *r, struct vd_error *err)
{
	_cleanup_close_ int fd = -1;
	size_t size = 0;
	void *map;
	int ret;

	ret = map_size(uio, &size, err);
	if (ret)
		return ret;
	fd = open(uio, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return vd_error_errno(err, -errno, "%s", uio);
	/* In one piece: the kernel finds no page of a mapping that was split. */
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return vd_error_errno(err, -errno, "%s", uio);
	/* A child that had it would keep it busy. */
	ret = madvise(map, size, MADV_DONTFORK) ? vd_error_errno(err, -errno, "%s", uio) : 0;
	if (!ret)
		ret = vd_tcmu_ring_init(r, map, size, err);
	if (ret) {
		munmap(map, size);
		return ret;
	}
	r->fd = VD_TAKE_FD(fd);
	return 0;
}

void vd_tcmu_ring_close(struct vd_tcmu_ring *r)
{
	if (r->fd >= 0) {
		munmap(r->map, r->size);
		close(r->fd);
	}
	r->fd = -1;
	r->map = NULL;
}

/* SPC-3, 4.3.1: by the first three bits. What lies behind them the kernel does not copy. */
static size_t cdb_length(uint8_t opcode)
{
	static const uint8_t lengths[8] = { 6, 10, 10, 12, 16, 12, 10, 10 };

	return lengths[opcode >> 5];
}

static int read_command(struct vd_tcmu_ring *r, const struct tcmu_cmd_entry *e, uint32_t len,
			struct vd_tcmu_command *c, struct vd_error *err)
{
	const uint32_t data = r->first + r->len, at = r->next;
	const uint64_t cdb_off = e->req.cdb_off;
	const uint32_t niov = e->req.iov_cnt;

	*c = (struct vd_tcmu_command){ .at = at, .len = len };
	if (len < offsetof(struct tcmu_cmd_entry, req.iov) ||
	    len < offsetof(struct tcmu_cmd_entry, rsp) + sizeof(e->rsp) ||
	    niov > (len - offsetof(struct tcmu_cmd_entry, req.iov)) / sizeof(e->req.iov[0]))
		return broken(err, "a command that is too short", at);
	/* The descriptor block lies in the entry, behind its list of data. */
	if (cdb_off < r->first + at || cdb_off >= (uint64_t)r->first + at + len)
		return broken(err, "a command outside its entry", at);
	c->cdb_len = cdb_length(r->map[cdb_off]);
	if (c->cdb_len > (uint64_t)r->first + at + len - cdb_off)
		return broken(err, "a command outside its entry", at);
	memcpy(c->cdb, r->map + cdb_off, c->cdb_len);
	if (!niov)
		return 0;
	c->iov = calloc(niov, sizeof(*c->iov));
	if (!c->iov)
		return vd_error_errno(err, -ENOMEM, "a command");
	for (uint32_t i = 0; i < niov; i++) {
		const uint64_t base = (uintptr_t)e->req.iov[i].iov_base;
		const uint64_t bytes = e->req.iov[i].iov_len;

		if (base < data || base > r->size || bytes > r->size - base) {
			vd_tcmu_command_done(c);
			return broken(err, "data outside its area", at);
		}
		c->iov[i] = (struct iovec){ .iov_base = r->map + base, .iov_len = bytes };
		c->bytes += bytes;
	}
	c->niov = niov;
	return 0;
}

/* Of an entry that is no command the tail moves with the command before it, or at once when there is none. */
static void skip(struct vd_tcmu_ring *r, uint32_t len)
{
	const bool answered = r->tail == r->next;

	r->next = (r->next + len) % r->len;
	if (!answered)
		return;
	r->tail = r->next;
	__atomic_store_n(&mailbox(r)->cmd_tail, r->tail, __ATOMIC_RELEASE);
}

int vd_tcmu_ring_next(struct vd_tcmu_ring *r, struct vd_tcmu_command *c, struct vd_error *err)
{
	const uint32_t head = __atomic_load_n(&mailbox(r)->cmd_head, __ATOMIC_ACQUIRE);

	if (head >= r->len || head % TCMU_OP_ALIGN_SIZE)
		return broken(err, "its head lies outside it", head);
	while (r->next != head) {
		struct tcmu_cmd_entry *e = (void *)(r->map + r->first + r->next);
		const uint32_t len_op = e->hdr.len_op, len = tcmu_hdr_get_len(len_op);
		int ret;

		if (len < sizeof(e->hdr) || len > r->len - r->next)
			return broken(err, "an entry of impossible length", r->next);
		switch (tcmu_hdr_get_op(len_op)) {
		case TCMU_OP_CMD:
			ret = read_command(r, e, len, c, err);
			if (ret)
				return ret;
			r->next = (r->next + len) % r->len;
			return 1;
		case TCMU_OP_PAD:
		case TCMU_OP_TMR:
			break;
		default:
			e->hdr.uflags |= TCMU_UFLAG_UNKNOWN_OP;
		}
		skip(r, len);
	}
	return 0;
}

/* Moves the tail over what is between two commands. */
static void pass_others(struct vd_tcmu_ring *r)
{
	while (r->tail != r->next) {
		const struct tcmu_cmd_entry_hdr *h = (void *)(r->map + r->first + r->tail);
		const uint32_t len = tcmu_hdr_get_len(h->len_op);

		if (tcmu_hdr_get_op(h->len_op) == TCMU_OP_CMD || len < sizeof(*h) ||
		    len > r->len - r->tail)
			return;
		r->tail = (r->tail + len) % r->len;
	}
}

static void zero_from(const struct vd_tcmu_command *c, size_t from)
{
	for (size_t i = 0; i < c->niov; i++) {
		const size_t len = c->iov[i].iov_len;

		if (from < len) {
			memset((uint8_t *)c->iov[i].iov_base + from, 0, len - from);
			from = 0;
		} else {
			from -= len;
		}
	}
}

void vd_tcmu_ring_answer(struct vd_tcmu_ring *r, const struct vd_tcmu_command *c, uint8_t status,
			 const uint8_t *sense, size_t sense_len, size_t bytes)
{
	struct tcmu_cmd_entry *e = (void *)(r->map + r->first + c->at);

	zero_from(c, bytes);
	/* It lies over the request, of which nothing is needed any more. */
	memset(&e->rsp, 0, sizeof(e->rsp));
	e->rsp.scsi_status = status;
	if (sense_len)
		memcpy(e->rsp.sense_buffer, sense,
		       sense_len < VD_TCMU_SENSE_MAX ? sense_len : VD_TCMU_SENSE_MAX);
	if (r->read_len) {
		e->hdr.uflags |= TCMU_UFLAG_READ_LEN;
		e->rsp.read_len = (uint32_t)bytes;
	}
	r->tail = (c->at + c->len) % r->len;
	pass_others(r);
	__atomic_store_n(&mailbox(r)->cmd_tail, r->tail, __ATOMIC_RELEASE);
}

int vd_tcmu_ring_poke(struct vd_tcmu_ring *r)
{
	static const uint32_t one = 1;

	return r->fd < 0 || write(r->fd, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

void vd_tcmu_command_done(struct vd_tcmu_command *c)
{
	free(c->iov);
	c->iov = NULL;
	c->niov = 0;
}

size_t vd_tcmu_copy_in(const struct vd_tcmu_command *c, const void *buf, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < c->niov && done < len; i++) {
		const size_t n = c->iov[i].iov_len < len - done ? c->iov[i].iov_len : len - done;

		memcpy(c->iov[i].iov_base, (const uint8_t *)buf + done, n);
		done += n;
	}
	return done;
}

size_t vd_tcmu_copy_out(const struct vd_tcmu_command *c, void *buf, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < c->niov && done < len; i++) {
		const size_t n = c->iov[i].iov_len < len - done ? c->iov[i].iov_len : len - done;

		memcpy((uint8_t *)buf + done, c->iov[i].iov_base, n);
		done += n;
	}
	return done;
}
