/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile_test.c - guests and a control domain that send whatever comes to mind: fields of any value, buffers that end
 * too early, pools that are not theirs. Every operation has a result that its release knows, frames are mapped and
 * unmapped in pairs, another guest's page stays what it is, and at the end all books of the store balance.
 *
 * The seed is TMEM_TEST_SEED, the number of operations TMEM_TEST_OPERATIONS.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/content.h"
#include "tests/xen/world.h"

#define OPERATIONS 40000u
#define HOSTILE 4u

static uint64_t random_state;
static uint64_t successes; /* of operations on pages: it is not all in vain */

static uint64_t draw(void)
{
    return content_next(&random_state) >> 8;
}

/* Mostly small, sometimes just beyond something, sometimes anything. */
static uint32_t number(uint32_t limit)
{
    static const uint32_t edges[] = {0, 1, 15, 16, 17, 4095,
                                     4096, 4097, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff};
    switch (draw() % 8) {
    case 0:
        return edges[draw() % (sizeof edges / sizeof edges[0])];
    case 1:
        return (uint32_t)draw();
    default:
        return (uint32_t)(draw() % limit);
    }
}

static uint32_t pool_flags(void)
{
    static const uint32_t flags[] = {0x01000000, 0x01000001, 0x01000002, 0x01000003, 0x02000000, 0x01000008};
    return draw() % 8 == 0 ? (uint32_t)draw() : flags[draw() % 6];
}

static void guess(struct tmem_op *op)
{
    static const uint32_t usual[] = {1, 1, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 7};
    static const uint32_t seldom[] = {0, 2, 3, 8, 9, 10, 11, 77, 101, 102};
    xen_garbage(op, draw() % 8 == 0 ? seldom[draw() % 10] : usual[draw() % 14]);
    op->pool_id = (int32_t)number(3);
    if (op->cmd == TMEM_NEW_POOL || op->cmd >= TMEM_AUTH) {
        op->u.creat.uuid[0] = draw() % 3;
        op->u.creat.uuid[1] = draw() % 16 == 0 ? UINT64_MAX : 0;
        op->u.creat.flags = pool_flags();
        op->u.creat.arg1 = draw() % 4 == 0 ? TMEM_CLIENT_ALL : number(6);
        return;
    }
    op->u.gen.oid[0] = draw() % 6;
    op->u.gen.oid[1] = draw() % 8 == 0 ? UINT64_MAX : 0;
    op->u.gen.oid[2] = op->u.gen.oid[1];
    op->u.gen.index = number(40);
    op->u.gen.tmem_offset = number(3000);
    op->u.gen.pfn_offset = number(3000);
    op->u.gen.len = number(2000);
    op->u.gen.cmfn = draw() % 16 == 0 ? draw() << 8 : XEN_FRAME_BASE + draw() % (XEN_FRAMES + 2);
}

/* Buffers lie at the guest's address, or before their ends, or nowhere. */
static uint64_t guess_buffer(void)
{
    switch (draw() % 8) {
    case 0:
        return 0;
    case 1:
        return XEN_BUFFER + XEN_BUFFER_BYTES - 1 - draw() % 64;
    default:
        return XEN_BUFFER + draw() % 512;
    }
}

static long control(struct xen_guest *guest)
{
    static const uint32_t sizes[] = {0, 1, 20, 32, 64, 512, 544, 4096, 32768};
    struct xen_sysctl_tmem_op op = {
        .cmd = number(22),
        .pool_id = (int32_t)number(5),
        .cli_id = draw() % 4 == 0 ? TMEM_CLIENT_ALL : number(6),
        .len = draw() % 4 == 0 ? number(70000) : sizes[draw() % 9],
        .arg = number(3),
        .pad = draw() % 32 == 0,
        .buf = guess_buffer(),
    };
    /* What was set as a weight or a cap comes back, whatever it is; with 32 bits it may look like an error. */
    bool is_value = op.cmd == TMEM_CONTROL_GET_CLIENT_WEIGHT || op.cmd == TMEM_CONTROL_GET_CLIENT_CAP;
    for (unsigned i = 0; i < 512; i += 8)
        if (draw() % 4 == 0) {
            uint64_t word = draw() % 2 == 0 ? draw() : draw() % 20;
            memcpy(guest->buffer + i, &word, sizeof word);
        }
    if (guest->release >= TMEM_XEN_RELEASE_4_7) {
        long result = tmem_xen_sysctl(guest->domain, &op);
        return is_value ? 0 : result;
    }
    struct tmem_op call = {.cmd = TMEM_CONTROL, .pool_id = op.pool_id};
    call.u.ctrl.subop = op.cmd;
    call.u.ctrl.cli_id = op.cli_id;
    call.u.ctrl.arg1 = op.len;
    call.u.ctrl.arg2 = op.arg;
    call.u.ctrl.buf = op.buf;
    long result = xen_send(guest, &call);
    return is_value ? 0 : result;
}

static void expect_known(long result)
{
    static const int errors[] = {EPERM, ENOENT, ENOMEM, EFAULT, EINVAL, ENODEV, ENOSPC, ERANGE,
                                 ENOSYS, EOPNOTSUPP, E2BIG, ENOBUFS, EFROZEN, EEMPTY};
    bool is_known = result >= -2; /* -1 and -2 are results of their own */
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
        is_known = is_known || result == -errors[i];
    if (!is_known)
        fail_msg("nobody knows the result %ld", result);
}

static long note(const struct tmem_op *op, long result)
{
    successes += result == 1 && (op->cmd == TMEM_PUT_PAGE || op->cmd == TMEM_GET_PAGE);
    return result;
}

/* A page of a guest whose id nobody guesses. */
static void keep_page(struct xen_guest *guest, bool is_first)
{
    if (is_first) {
        assert_int_equal(xen_new(guest, 0x01000001, 0, 0), 0);
        assert_int_equal(xen_page(guest, TMEM_PUT_PAGE, 0, 1, 1, 1, NULL), 1);
    }
    assert_int_equal(xen_page(guest, TMEM_GET_PAGE, 0, 1, 1, 7, NULL), 1);
    assert_memory_equal(guest->frames[7], guest->frames[1], TMEM_PAGE_SIZE);
}

static struct xen_guest *create(struct xen_world *world, uint32_t id)
{
    static const uint32_t releases[] = {TMEM_XEN_RELEASE_4_0, TMEM_XEN_RELEASE_4_3, TMEM_XEN_RELEASE_4_7,
                                        TMEM_XEN_RELEASE_4_12};
    return xen_guest_create(world, id, releases[id % 4], id % 2 == 0 ? TMEM_XEN_ABI_X86_64 : TMEM_XEN_ABI_I386,
                            id < 2 ? UINT64_MAX : 300);
}

static void run(bool has_control, uint64_t count)
{
    struct tmem_xen_settings settings = TMEM_XEN_SETTINGS_INIT;
    struct xen_guest *hostile[HOSTILE];
    struct xen_world world;
    settings.no_shared_auth = true;
    successes = 0;
    xen_world_open(&world, &settings);
    struct xen_guest *victim = xen_guest_create(&world, 40000, TMEM_XEN_RELEASE_4_12, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    for (uint32_t i = 0; i < HOSTILE; i++)
        hostile[i] = create(&world, i);
    keep_page(victim, true);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t who = (uint32_t)(draw() % HOSTILE);
        struct xen_guest *guest = hostile[who];
        struct tmem_op op;
        if (draw() % 16 == 0 && (has_control || who != 0)) { /* domain 0 has the right to */
            expect_known(control(guest));
        } else {
            guess(&op);
            if (who != 0 || op.cmd != TMEM_CONTROL) /* there the frame would be an address of this process */
                expect_known(note(&op, xen_send(guest, &op)));
        }
        assert_int_equal(guest->mapped, 0);
        if (draw() % 1024 == 0) {
            tmem_xen_domain_destroy(guest->domain);
            xen_guest_free(guest);
            hostile[who] = create(&world, who);
        }
    }
    if (!has_control)
        keep_page(victim, false);
    printf("%llu pages were put or got\n", (unsigned long long)successes);
    assert_true(successes > count / 40);
    xen_world_close(&world);
    for (unsigned i = 0; i < HOSTILE; i++)
        xen_guest_free(hostile[i]);
    xen_guest_free(victim);
}

static uint64_t operations(void)
{
    const char *text = getenv("TMEM_TEST_OPERATIONS");
    uint64_t count = text != NULL ? strtoull(text, NULL, 0) : OPERATIONS;
    return count < 1000000 ? count : 1000000;
}

static void guests_hurt_nobody(void **state)
{
    (void)state;
    run(false, operations());
}

static void a_control_domain_gets_a_result_for_everything(void **state)
{
    (void)state;
    run(true, operations());
}

int main(void)
{
    const char *seed = getenv("TMEM_TEST_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_hurt_nobody),
        cmocka_unit_test(a_control_domain_gets_a_result_for_everything),
    };
    random_state = content_scatter(seed != NULL ? strtoull(seed, NULL, 0) : 1);
    printf("seed %s\n", seed != NULL ? seed : "1");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
