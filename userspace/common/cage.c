// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * Order matters: the user is changed while that is still allowed, then no_new_privs (which the two filters
 * need), then Landlock, then seccomp, which forbids everything that came before.
 *
 * Refused calls fail with EPERM instead of killing: the C library tries harmless ones by itself (a look at
 * /sys when an arena grows, a locale), and copes.
 */
#define _GNU_SOURCE
#include "userspace/common/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/cdrom.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "util/cleanup.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define CAGE_WITH_LSAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CAGE_WITH_LSAN
#endif

#ifdef CAGE_WITH_LSAN
#include <sanitizer/lsan_interface.h>

/* The search for leaks at the end starts a process that traces this one: not from inside the cage. */
static bool caged;

int __lsan_is_turned_off(void)
{
	return caged;
}
#endif

#define NOBODY 65534

static int drop_root(struct vd_error *err)
{
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return vd_error_errno(err, -errno, "the cage: cannot become user nobody");
	return 0;
}

/* Every right that this kernel's Landlock knows is taken, and none given back. */
static int landlock(struct vd_error *err)
{
	/* Bits of handled_access_fs by ABI version, 1 to 5; later ones add none that matter without open files. */
	static const unsigned fs_bits[] = { 0, 13, 14, 15, 15, 16 };
	struct {
		uint64_t fs, net, scoped;
	} attr = { 0 };
	_cleanup_close_ int fd = -1;
	size_t size;
	int abi;

	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 1)
		return 0; /* a kernel without it, or with it switched off */
	attr.fs = (1ull << fs_bits[abi < 5 ? abi : 5]) - 1;
	size = sizeof(uint64_t);
	if (abi >= 4) {
		attr.net = 3; /* bind and connect of TCP */
		size += sizeof(uint64_t);
	}
	if (abi >= 6) {
		attr.scoped = 3; /* abstract sockets and signals to outside */
		size += sizeof(uint64_t);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0))
		return vd_error_errno(err, -errno, "the cage: Landlock");
	return 0;
}

static const int allowed[] = {
	/* Descriptors that are open already. pwrite and fallocate serve virtual disks. */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(preadv2),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(fallocate),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(fstat),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	/* libfuse moves large answers through a pipe. */
	SCMP_SYS(pipe2),
	SCMP_SYS(splice),
	SCMP_SYS(vmsplice),
	/* Memory. */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mlock),
	SCMP_SYS(mincore),
	/* Threads and signals. */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	/* Clocks. */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
};

static int add_conditional(scmp_filter_ctx ctx, enum vd_cage_profile profile, int drive_fd)
{
	static const int fcntls[] = {
		F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETPIPE_SZ, F_SETPIPE_SZ
	};
	int r;

	/* fstat() of glibc 2.33 and newer: newfstatat(fd, "", ..., AT_EMPTY_PATH). */
	r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
			     SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	/* No memory that can be executed. */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Threads, no processes. clone3's flags lie in memory, where no filter can see them. */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	for (size_t i = 0; !r && i < VD_ARRAY_SIZE(fcntls); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				     SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntls[i]));
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* abort() */
	if (!r)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (!r && profile == VD_CAGE_INFO) {
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ));
		if (!r)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					     SCMP_A1(SCMP_CMP_EQ, TCGETS));
	}
	/* As user nobody no others than those that read: the kernel looks at each command. */
	if (!r && drive_fd >= 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 2,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)drive_fd),
				     SCMP_A1(SCMP_CMP_EQ, CDROM_SEND_PACKET));
	return r;
}

static int seccomp(enum vd_cage_profile profile, int drive_fd, struct vd_error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = 0;

	if (!ctx)
		return vd_error_errno(err, -ENOMEM, "the cage: seccomp");
	/* The rules are few: a tree of comparisons costs less than a list for each call. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; !r && i < VD_ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (!r)
		r = add_conditional(ctx, profile, drive_fd);
	if (!r)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r ? vd_error_errno(err, r, "the cage: seccomp") : 0;
}

int vd_cage_enter(enum vd_cage_profile profile, int drive_fd, struct vd_error *err)
{
	static const struct rlimit zero = { 0, 0 };
	int r = profile == VD_CAGE_SWAP ? 0 : drop_root(err);

	if (r)
		return r;
	/* Not to be traced by another process of its user; no core with a stranger's data in it. */
	if (prctl(PR_SET_DUMPABLE, 0) || setrlimit(RLIMIT_CORE, &zero))
		return vd_error_errno(err, -errno, "the cage");
	/* Who is busy with an endless image would not notice the end of the process that waits for it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return vd_error_errno(err, -errno, "the cage");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return vd_error_errno(err, -errno, "the cage: no_new_privs");
#ifdef CAGE_WITH_LSAN
	caged = true;
#endif
	r = landlock(err);
	return r ? r : seccomp(profile, drive_fd, err);
}
