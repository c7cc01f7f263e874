/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor.h - `tmem doctor`: what of this machine tmem can use.
 *
 * A probe tries the thing itself rather than reading what ought to be, changes nothing, and leaves
 * nothing behind: what it opens and maps it gives back, and what it mounts is seen by a child process only
 * that ends at once. doctor.c runs the probes and prints, doctor_place.c finds out where this process
 * lives, the others hold the probes.
 */
#ifndef TM_CLI_DOCTOR_H
#define TM_CLI_DOCTOR_H

#include "cli/cli.h"

enum tm_doctor_state {
    TM_DOCTOR_OK,
    TM_DOCTOR_LIMITED, /* less than there could be, or not for everybody */
    TM_DOCTOR_MISSING,
};

struct tm_doctor_finding {
    enum tm_doctor_state state;
    bool needed;      /* `tmem mount` cannot work without it */
    char reason[240]; /* what was found */
    char remedy[320]; /* what to do; empty: nothing */
};

/* Where this process lives, and what it may do. */
struct tm_doctor_place {
    char container[32]; /* its kind, such as "docker"; empty: in none */
    bool root;
    bool user_namespace;   /* root is root of such a one only, and has no rights on the machine */
    uint64_t capabilities; /* effective, bits as in linux/capability.h */
    char kernel[65];
};

/* tm_doctor_look_around - fill *place. What cannot be found out counts as not there. */
void tm_doctor_look_around(struct tm_doctor_place *place);

/* tm_doctor_may - has this process the capability @number, in its user namespace? */
static inline bool tm_doctor_may(const struct tm_doctor_place *place, int number)
{
    return (place->capabilities >> number & 1u) != 0;
}

/* tm_doctor_may_on_machine - the same for what only the machine's own user namespace permits. */
static inline bool tm_doctor_may_on_machine(const struct tm_doctor_place *place, int number)
{
    return !place->user_namespace && tm_doctor_may(place, number);
}

/* tm_doctor_say - note the state and the reason. */
void tm_doctor_say(struct tm_doctor_finding *finding, enum tm_doctor_state state, const char *format, ...)
    TM_PRINTF(3, 4);

/*
 * tm_doctor_advise - note the remedy: @outside where this is no container; in one, how it must be started:
 * @options of docker and podman. NULL: nothing can be done there.
 */
void tm_doctor_advise(struct tm_doctor_finding *finding, const struct tm_doctor_place *place, const char *outside,
                      const char *options);

/* tm_doctor_advise_capability - note how to get the capability CAP_@name, which is missing on the machine. */
void tm_doctor_advise_capability(struct tm_doctor_finding *finding, const struct tm_doctor_place *place,
                                 const char *name);

/* tm_doctor_read_line - the first line of a file, without its end. False, with an empty line, when it cannot be
 * read. */
bool tm_doctor_read_line(const char *path, char *line, size_t line_size);

/* The probes; each fills *finding, which is empty before. */
typedef void (*tm_doctor_probe)(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);

void tm_doctor_fuse_device(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_fuse_mount(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_fusermount(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_allow_other(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);

void tm_doctor_fanotify(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_inotify(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_file_handles(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);

void tm_doctor_cgroup(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_pressure(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_pressure_trigger(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_io_flusher(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);

void tm_doctor_huge_pages(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_huge_memfd(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_memfd(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_memlock(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);
void tm_doctor_userfaultfd(const struct tm_doctor_place *place, struct tm_doctor_finding *finding);

#endif
