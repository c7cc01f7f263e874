/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mount_helper.c - /sbin/mount.tmem, by which `mount -t tmem`, fstab and mount units of systemd find `tmem
 * mount`: it puts the arguments that mount(8) gives to helpers into its words, and becomes it.
 */
#include "command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] = "usage: mount.tmem DIR MNT [-sfnv] [-N NAMESPACE] [-t TYPE] [-o OPT[,OPT...]]\n"
                           "\n"
                           "What mount(8) runs for `mount -t tmem`. Use that, or `tmem mount`.\n"
                           "\n"
                           "  -o OPT[,OPT...]  options, as `tmem mount -o` has them\n"
                           "  -s               pass over options that are not known\n"
                           "  -f               do everything but mount: nothing\n"
                           "  -n               no effect: no table of mounts is written\n"
                           "  -v               print the command that is run\n"
                           "  -N NAMESPACE     mount in the mount namespace of a process (number), or in a file's\n"
                           "  -t TYPE          tmem, or tmem.SOMETHING\n"
                           "  --help           this text\n"
                           "\n"
                           "Exit status: that of `tmem mount`.\n";

struct request {
    const char *places[2]; /* DIR, MNT */
    unsigned place_count;
    const char *lists[16]; /* behind -o */
    unsigned list_count;
    const char *namespace;
    bool sloppy;
    bool fake;
    bool verbose;
    bool help;
};

#define TRY_HELP "(try: mount.tmem --help)"

static enum tm_exit take_value(char letter, const char *value, struct request *request)
{
    if (letter == 't') {
        if (strcmp(value, "tmem") != 0 && strncmp(value, "tmem.", 5) != 0 && strcmp(value, "fuse.tmem") != 0)
            return tm_fail(TM_EXIT_USAGE, "mount.tmem: cannot mount the type '%s' (try: mount -t tmem)", value);
    } else if (letter == 'N') {
        request->namespace = value;
    } else if (request->list_count == TM_ARRAY_SIZE(request->lists)) {
        return tm_fail(TM_EXIT_USAGE, "mount.tmem: too many -o (write one list with commas)");
    } else {
        request->lists[request->list_count++] = value;
    }
    return TM_EXIT_OK;
}

/* Reads letters like `-nv` and `-o LIST`. Moves *at to the value. */
static enum tm_exit take_letters(int count, char **arguments, int *at, struct request *request)
{
    const char *argument = arguments[*at];
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        switch (*letter) {
        case 's':
            request->sloppy = true;
            break;
        case 'f':
            request->fake = true;
            break;
        case 'v':
            request->verbose = true;
            break;
        case 'n':
            break;
        case 'h':
            request->help = true;
            break;
        case 'N':
        case 't':
        case 'o':
            if (letter[1] != '\0')
                return take_value(*letter, letter + 1, request);
            if (*at + 1 >= count)
                return tm_fail(TM_EXIT_USAGE, "mount.tmem: -%c needs a value " TRY_HELP, *letter);
            return take_value(*letter, arguments[++*at], request);
        default:
            return tm_fail(TM_EXIT_USAGE, "mount.tmem: unknown option '%s' " TRY_HELP, argument);
        }
    }
    return TM_EXIT_OK;
}

static enum tm_exit parse(int count, char **arguments, struct request *request)
{
    for (int at = 1; at < count; at++) {
        enum tm_exit code = TM_EXIT_OK;
        if (strcmp(arguments[at], "--help") == 0)
            request->help = true;
        else if (arguments[at][0] == '-' && arguments[at][1] != '\0')
            code = take_letters(count, arguments, &at, request);
        else if (request->place_count < TM_ARRAY_SIZE(request->places))
            request->places[request->place_count++] = arguments[at];
        else
            code = tm_fail(TM_EXIT_USAGE, "mount.tmem: unexpected argument '%s' " TRY_HELP, arguments[at]);
        if (code != TM_EXIT_OK)
            return code;
    }
    if (!request->help && request->place_count != TM_ARRAY_SIZE(request->places))
        return tm_fail(TM_EXIT_USAGE, "mount.tmem: DIR and MNT are missing " TRY_HELP);
    return TM_EXIT_OK;
}

/* Goes into the mount namespace @name: a process number, or a path such as /proc/1/ns/mnt. */
static enum tm_exit enter_namespace(const char *name)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char path[PATH_MAX];
    bool is_number = name[strspn(name, "0123456789")] == '\0';
    int length = snprintf(path, sizeof path, is_number ? "/proc/%s/ns/mnt" : "%s", name);
    int fd = length >= 0 && (size_t)length < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int error = fd >= 0 && setns(fd, CLONE_NEWNS) == 0 ? 0 : errno;
    if (fd >= 0)
        (void)close(fd);
    if (error == 0)
        return TM_EXIT_OK;
    return tm_fail(tm_exit_of_error(error), "cannot enter the mount namespace '%s': %s (a process number or a file in "
                                            "/proc/PID/ns, as root)",
                   name, tm_error_text(error, cause));
}

/* Opens the program `tmem-mount`: beside this one as in the build tree, where a relocated installation has it, or
 * where it was to be installed. Before the namespace changes, in which it may not exist. */
static int open_program(char path[static 2 * PATH_MAX])
{
    static const char *const folders[] = {"", "../libexec/tmem/"};
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1u);
    own[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash != NULL)
        slash[1] = '\0';
    for (size_t i = 0; slash != NULL && i < TM_ARRAY_SIZE(folders); i++) {
        (void)snprintf(path, 2u * PATH_MAX, "%s%stmem-mount", own, folders[i]);
        int fd = open(path, O_PATH | O_CLOEXEC);
        if (fd >= 0)
            return fd;
    }
    (void)snprintf(path, 2u * PATH_MAX, "%s", TM_PROGRAM_DIRECTORY "/tmem-mount");
    return open(path, O_PATH | O_CLOEXEC);
}

static void print_command(char *const *arguments)
{
    char line[4096];
    size_t used = 0;
    line[0] = '\0';
    for (size_t i = 0; arguments[i] != NULL && used < sizeof line; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i == 0 ? "" : " ", arguments[i]);
    tm_message("%s", line);
}

static enum tm_exit run(const struct request *request)
{
    char cause[TM_ERROR_TEXT_SIZE];
    static char path[2 * PATH_MAX];
    /* The strings are not changed: exec only wants them without const. */
    const char *arguments[2 + 2 * (TM_ARRAY_SIZE(request->lists) + 1u) + 4];
    size_t count = 0;
    arguments[count++] = "tmem-mount";
    if (request->sloppy) {
        arguments[count++] = "-o";
        arguments[count++] = "sloppy";
    }
    for (unsigned i = 0; i < request->list_count; i++) {
        arguments[count++] = "-o";
        arguments[count++] = request->lists[i];
    }
    arguments[count++] = "--";
    arguments[count++] = request->places[0];
    arguments[count++] = request->places[1];
    arguments[count] = NULL;
    char **vector = NULL;
    memcpy(&vector, &(const char **){arguments}, sizeof vector);

    if (request->verbose)
        print_command(vector);
    if (request->fake)
        return TM_EXIT_OK;
    int program = open_program(path);
    if (program < 0)
        return tm_fail(TM_EXIT_NOT_FOUND, "cannot find %s: %s (is tmem installed completely?)", path,
                       tm_error_text(errno, cause));
    enum tm_exit code = request->namespace != NULL ? enter_namespace(request->namespace) : TM_EXIT_OK;
    if (code != TM_EXIT_OK)
        return code;
    (void)fexecve(program, vector, environ);
    return tm_fail(tm_exit_of_error(errno), "cannot run %s: %s", path, tm_error_text(errno, cause));
}

int main(int count, char **arguments)
{
    struct request request = {.place_count = 0};
    enum tm_exit code = parse(count, arguments, &request);
    if (code != TM_EXIT_OK)
        return code;
    return request.help ? tm_print_stdout(help) : run(&request);
}
