/* SPDX-License-Identifier: BSD-2-Clause */
/* caller.c - on whose behalf a worker changes something. */
#include "caller.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rights that a thread loses while its filesystem user is not root. */
#define FILE_RIGHTS                                                                                               \
    (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER | 1u << CAP_FSETID | \
     1u << CAP_LINUX_IMMUTABLE | 1u << CAP_MKNOD)

struct rights {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static _Thread_local struct {
    bool is_root;   /* can take on other users */
    bool own_umask; /* which this thread shares with no other */
    bool assumed;
    struct rights rights; /* of the thread when it acts for nobody */
} self;

static bool read_rights(struct rights *rights)
{
    *rights = (struct rights){.header = {.version = _LINUX_CAPABILITY_VERSION_3}};
    return syscall(SYS_capget, &rights->header, rights->words) == 0;
}

static bool set_rights(struct rights *rights)
{
    return syscall(SYS_capset, &rights->header, rights->words) == 0;
}

void tm_caller_prepare_thread(void)
{
    self.own_umask = unshare(CLONE_FS) == 0;
    if (!read_rights(&self.rights) || geteuid() != 0)
        return;
    self.is_root = true;
    /* Whoever has this one passes over quotas, and may take the last blocks of a disk. */
    self.rights.words[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective &= ~(uint32_t)CAP_TO_MASK(CAP_SYS_RESOURCE);
    (void)set_rights(&self.rights);
}

/* Also in a thread, setfsuid() tells only the one before: asking is setting an impossible one. */
static bool take_on(uid_t user, gid_t group)
{
    (void)setfsgid(group);
    (void)setfsuid(user);
    return setfsgid((gid_t)-1) == (int)group && setfsuid((uid_t)-1) == (int)user;
}

int tm_caller_assume(fuse_req_t request)
{
    const struct fuse_ctx *caller = fuse_req_ctx(request);
    if (self.own_umask)
        (void)umask(caller->umask);
    if (!self.is_root || (caller->uid == 0 && caller->gid == 0))
        return 0;
    self.assumed = true;
    if (!take_on(caller->uid, caller->gid)) {
        tm_caller_resign();
        return EPERM;
    }
    struct rights rights = self.rights;
    rights.words[0].effective |= rights.words[0].permitted & FILE_RIGHTS;
    if (!set_rights(&rights)) {
        tm_caller_resign();
        return EPERM;
    }
    return 0;
}

void tm_caller_resign(void)
{
    if (!self.assumed)
        return;
    self.assumed = false;
    bool root_again = take_on(0, 0);
    TM_ASSERT(root_again);
}
