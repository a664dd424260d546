// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * vdrive insert: opens the image as the caller, and whatever other files it names when the drive asks for them. The drive's keeper,
 * which is root's, opens nothing.
 */
#include "userspace/vdrive/vdrive.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "userspace/vdrived/message.h"
#include "userspace/vdrived/opener.h"

static const char usage[] =
	"\nUsage:\n"
	" vdrive insert [options] IMAGE [NAME]\n"
	"\n"
	"Put a disc image into an optical drive.\n"
	"\n"
	"Options:\n"
	" -r, --replace    eject the disc that is in the drive\n"
	" -W, --writable   the image is a medium of vdrive create, to be written\n"
	" -w, --wav FILE   write what the drive plays to FILE, which is made\n"
	" -h, --help       display this help\n"
	"\n"
	"For more details see vdrive-insert(1).\n";

#define SILENCE_S 45 /* longer than a keeper lets a reader have for parsing */

/* @fds: of the image and, when it is not -1, of the file for the sound. */
static int send_request(int sock, const struct vd_request *req, const int fds[2])
{
	const size_t bytes = (fds[1] < 0 ? 1 : 2) * sizeof(int);
	struct iovec iov = { .iov_base = (void *)req, .iov_len = sizeof(*req) };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} control = { .buf = "" };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = CMSG_SPACE(bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(c), fds, bytes);
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == sizeof(*req) ? 0 : -errno;
}

/* Opens what the disc's reader asks for beneath the image's folder; at the end the keeper's reply. */
static int converse(int sock, const char *name, struct vd_keeper_opener *opener,
		    struct vd_error *err)
{
	union {
		uint32_t first;
		struct vd_reply reply;
		struct vd_message asked;
	} u;

	for (;;) {
		struct vd_message answer = { .type = VD_MSG_OPENED };
		struct vd_error said = { "" };
		ssize_t n = recv(sock, &u, sizeof(u), 0);
		_cleanup_close_ int fd = -1;
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return vd_error_set(err, -ETIMEDOUT, "drive %s does not answer", name);
		if (n < 0)
			return vd_error_errno(err, -errno, "drive %s", name);
		if (n != sizeof(u.asked) || u.first != VD_MSG_OPEN)
			return vd_reply_code(name, &u.reply, n, err);
		u.asked.text[sizeof(u.asked.text) - 1] = '\0';
		fd = vd_keeper_open_asked(opener, u.asked.text, u.asked.arg, &said);
		if (fd < 0) {
			answer.code = fd;
			memcpy(answer.text, said.text, sizeof(answer.text));
		}
		r = vd_message_send(sock, &answer, fd);
		if (r)
			return vd_error_errno(err, r, "drive %s", name);
	}
}

/* @sound: the file for what is played, or -1. */
static int insert(const char *path, const char *name, uint32_t flags, int sound,
		  struct vd_error *err)
{
	_cleanup_free_ struct found *f = need(malloc(sizeof(*f)));
	_cleanup_free_ struct vd_request *req = need(calloc(1, sizeof(*req)));
	_cleanup_(vd_keeper_opener_done) struct vd_keeper_opener opener = { .dir_fd = -1 };
	_cleanup_opened_ struct opened image = OPENED_NONE;
	_cleanup_close_ int sock = -1;
	const bool writable = flags & VD_INSERT_WRITABLE;
	const struct timeval silence = { .tv_sec = SILENCE_S };
	struct stat st;
	int r;

	r = find_cdrom(name, f, err);
	if (!r)
		r = image_open(path, writable, &image, err);
	if (r)
		return r;
	if (fstat(image.fd, &st) || !S_ISREG(st.st_mode))
		return vd_error_set(
			err, -EINVAL,
			"%s: not a file; 'vdrive convert' makes one of a disc in a drive", path);
	r = image_lock(&image, writable, err);
	if (r)
		return r;
	opener.dir_fd = image.dir_fd;
	*req = (struct vd_request){ .magic = VD_REQUEST_MAGIC,
				    .op = VD_REQUEST_INSERT,
				    .flags = flags };
	strcpy(req->image, image.path);
	sock = vd_drive_connect(f->place.dir, f->state.name, err);
	if (sock < 0)
		return sock;
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)))
		return vd_error_errno(err, -errno, "drive %s", f->state.name);
	r = send_request(sock, req, (int[2]){ image.fd, sound });
	if (r)
		return vd_error_errno(err, r, "drive %s", f->state.name);
	r = converse(sock, f->state.name, &opener, err);
	/* Its reader knows neither the path nor that it is one. */
	if (r && !strstr(err->text, path) && !strstr(err->text, f->state.name))
		return vd_error_prefix(err, r, "%s", path);
	return r;
}

int cmd_insert(int argc, char **argv)
{
	static const struct option options[] = {
		{ "replace", no_argument, NULL, 'r' },
		{ "writable", no_argument, NULL, 'W' },
		{ "wav", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	_cleanup_close_ int sound = -1;
	const char *wav = NULL;
	struct vd_error err = { "" };
	uint32_t flags = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "rWw:h", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			flags |= VD_INSERT_REPLACE;
			break;
		case 'W':
			flags |= VD_INSERT_WRITABLE;
			break;
		case 'w':
			wav = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return wrong_usage(EX_WRONG_USAGE, NULL);
		}
	}
	if (optind == argc)
		return wrong_usage(EX_WRONG_USAGE, "an image is needed");
	if (argc - optind > 2)
		return wrong_usage(EX_WRONG_USAGE, "too many arguments");
	if (wav) {
		sound = open(wav, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (sound < 0) {
			complain("%s: %s", wav, strerror(errno));
			return EX_FAILED;
		}
		flags |= VD_INSERT_SOUND;
	}
	r = insert(argv[optind], argv[optind + 1], flags, sound, &err);
	if (!r)
		return 0;
	if (wav)
		unlink(wav); /* it was made here */
	if (r == -EBUSY && !(flags & VD_INSERT_REPLACE) && strstr(err.text, "there is a disc"))
		complain("%s (--replace ejects it)", err.text);
	else
		complain("%s", err.text);
	return EX_FAILED;
}
