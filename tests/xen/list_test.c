/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list_test.c - the text of LIST: its lines, keys and values in each release, for all clients and for one, and what
 * becomes of it when the buffer is small. Lines are read as the original's tools read them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/xen/list_parse.h"
#include "tests/xen/world.h"

#define GLOBAL "Tt,Te,Cf,Af,Pf,Ta,Lm,Et,Ea,Rt,Ra,Rx,Fp"
#define GLOBAL_LONG ",Ec,Em,Oc,Om,Nc,Nm,Pc,Pm,Fc,Fm,Sc,Sm,Ep,Gd,Zt,Gz"
#define TAIL ",Pc,Pm,Oc,Om,Nc,Nm,ps,pt,pd,pr,px,gs,gt,fs,ft,os,ot"
#define CLIENT_REST ",co,fr,Tc,Ge,Pp,Gp"
#define CLIENT_LONG ",Ec,Em,cp,cb,cn,cm"

#define MANY 90u
#define EPHEMERAL 0x01000000u
#define PERSISTENT 0x01000001u
#define SHARED 0x01000002u

static const uint32_t releases[] = {TMEM_XEN_RELEASE_4_0, TMEM_XEN_RELEASE_4_3, TMEM_XEN_RELEASE_4_7,
                                    TMEM_XEN_RELEASE_4_12};
#define RELEASES (sizeof releases / sizeof releases[0])

static struct xen_world world;
static struct xen_guest *tools; /* the control domain */
static struct xen_guest *guests[3];

static void open_world(uint32_t release)
{
    struct tmem_xen_settings settings = TMEM_XEN_SETTINGS_INIT;
    settings.no_shared_auth = true;
    xen_world_open(&world, &settings);
    tools = xen_guest_create(&world, 0, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
    for (uint32_t i = 0; i < 3; i++)
        guests[i] = xen_guest_create(&world, 11 + i, release, TMEM_XEN_ABI_X86_64, UINT64_MAX);
}

static void close_world(void)
{
    xen_world_close(&world);
    xen_guest_free(tools);
    for (unsigned i = 0; i < 3; i++)
        xen_guest_free(guests[i]);
}

/* A right to share, in the release's own way. */
static void authorise(struct xen_guest *guest, uint64_t low, uint64_t high)
{
    if (guest->release >= TMEM_XEN_RELEASE_4_12) {
        const struct xen_tmem_pool_info right = {XEN_TMEM_POOL_AUTH, 0, 0, {low, high}};
        uint32_t id = (uint32_t)(guest == guests[0] ? 11 : guest == guests[1] ? 12
                                                                              : 13);
        memcpy(tools->buffer, &right, sizeof right);
        assert_int_equal(xen_control(tools, TMEM_CONTROL_SET_AUTH, id, 0, sizeof right, 0), 1);
    }
}

/* Everything there is: two kinds of private pools, and two shared ones of three clients. */
static void fill_world(void)
{
    for (unsigned i = 0; i < 3; i++) {
        authorise(guests[i], 0xabcd, 0xef01);
        authorise(guests[i], 0xcb, 0xfeed);
        assert_int_equal(xen_new(guests[i], EPHEMERAL, 0, 0), 0);
    }
    assert_int_equal(xen_new(guests[1], PERSISTENT, 0, 0), 1);
    assert_int_equal(xen_new(guests[0], SHARED, 0xabcd, 0xef01), 1);
    assert_int_equal(xen_new(guests[2], SHARED, 0xabcd, 0xef01), 1);
    assert_int_equal(xen_new(guests[1], SHARED, 0xabcd, 0xef01), 2);
    assert_int_equal(xen_new(guests[1], SHARED, 0xcb, 0xfeed), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(xen_page(guests[i], TMEM_PUT_PAGE, 0, 5, i, 1 + i, NULL), 1);
}

static const char *list(uint32_t client, bool is_long)
{
    memset(tools->buffer, '#', sizeof tools->buffer);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_LIST, client, 0, sizeof tools->buffer, is_long), 0);
    return (const char *)tools->buffer;
}

/* The line of a kind with this value of a key. */
static struct list_line find_line(const char *text, char kind, const char *key, uint64_t value)
{
    struct list_line line;
    while (list_next(&text, &line))
        if (line.kind == kind && (key == NULL || list_value(&line, key) == value))
            return line;
    fail_msg("there is no line %c with %s", kind, key);
    return line;
}

/* ---- the grammar ---- */

static void expect_line(const struct list_line *line, uint32_t release, bool is_long, unsigned sharers)
{
    char keys[256];
    switch (line->kind) {
    case 'G':
        list_expect_keys(line, is_long ? GLOBAL GLOBAL_LONG : GLOBAL);
        break;
    case 'S':
        snprintf(keys, sizeof keys, "SI,PT,U0,U1%s%s", sharers == 3 ? ",SC,SC,SC" : ",SC", is_long ? TAIL : "");
        list_expect_keys(line, keys);
        break;
    case 'C':
        snprintf(keys, sizeof keys, "CI,ww%s" CLIENT_REST "%s", release <= TMEM_XEN_RELEASE_4_7 ? ",ca" : "",
                 is_long ? CLIENT_LONG : "");
        list_expect_keys(line, keys);
        break;
    case 'P':
        list_expect_keys(line, is_long ? "CI,PI,PT,U0,U1" TAIL : "CI,PI,PT,U0,U1");
        break;
    default:
        assert_string_equal(line->text, "T");
    }
    list_expect_found(line);
}

static void expect_list(const char *text, uint32_t release, bool is_long, const char *kinds)
{
    struct list_line line;
    char found[64] = "";
    size_t length = 0;
    while (list_next(&text, &line)) {
        expect_line(&line, release, is_long, list_value(&line, "U0") == 0xabcd ? 3 : 1);
        found[length++] = line.kind;
        found[length] = 0;
    }
    assert_string_equal(found, kinds);
}

static void lists_have_the_lines_and_keys_of_each_release(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RELEASES; i++)
        for (unsigned is_long = 0; is_long < 2; is_long++) {
            open_world(releases[i]);
            expect_list(list(TMEM_CLIENT_ALL, is_long != 0), releases[i], is_long != 0, "GT");
            fill_world();
            expect_list(list(TMEM_CLIENT_ALL, is_long != 0), releases[i], is_long != 0, "GSSCPPCPPPPCPPT");
            expect_list(list(12, is_long != 0), releases[i], is_long != 0, "CPPPP");
            close_world();
        }
}

static void clients_come_in_the_order_of_their_first_operation(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    assert_int_equal(xen_new(guests[2], EPHEMERAL, 0, 0), 0);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 9, 0, 0, 0, NULL), 0);
    const char *text = list(TMEM_CLIENT_ALL, false);
    struct list_line line;
    uint64_t order[2];
    unsigned count = 0;
    while (list_next(&text, &line))
        if (line.kind == 'C') {
            assert_true(count < 2);
            order[count++] = list_value(&line, "CI");
        }
    assert_int_equal(count, 2);
    assert_int_equal(order[0], 13);
    assert_int_equal(order[1], 11);
    close_world();
}

/* ---- shared pools ---- */

static void each_shared_pool_has_a_line_of_its_own_with_all_who_share_it(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    fill_world();
    const char *text = list(TMEM_CLIENT_ALL, false);
    struct list_line first = find_line(text, 'S', "U0", 0xabcd);
    struct list_line second = find_line(text, 'S', "U0", 0xcb);
    assert_string_equal(first.text, "S=SI:0,PT:ES,U0:abcd,U1:ef01,SC:11,SC:13,SC:12");
    assert_string_equal(second.text, "S=SI:1,PT:ES,U0:cb,U1:feed,SC:12");
    close_world();
}

static void a_sharers_line_shows_the_owners_number(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    assert_int_equal(xen_new(guests[1], EPHEMERAL, 0, 0), 0);
    authorise(guests[0], 7, 8);
    authorise(guests[1], 7, 8);
    assert_int_equal(xen_new(guests[0], SHARED, 7, 8), 0);
    assert_int_equal(xen_new(guests[1], SHARED, 7, 8), 1);
    struct list_line line = find_line(list(12, false), 'P', "U0", 7);
    assert_int_equal(list_value(&line, "PI"), 0);
    assert_memory_equal(list_type(&line), "ES", 2);
    assert_int_equal(xen_page(guests[0], TMEM_DESTROY_POOL, 0, 0, 0, 0, NULL), 1);
    line = find_line(list(12, false), 'P', "U0", 7);
    assert_int_equal(list_value(&line, "PI"), 1);
    close_world();
}

/* ---- values ---- */

static void put_get(struct xen_guest *guest, uint32_t cmd, uint64_t object, uint32_t index, unsigned frame,
                    long expected)
{
    assert_int_equal(xen_page(guest, cmd, 0, object, index, frame, NULL), expected);
}

static void a_pool_line_counts_what_was_asked_and_answered(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    struct xen_guest *guest = guests[0];
    assert_int_equal(xen_new(guest, PERSISTENT, 77, 88), 0);
    put_get(guest, TMEM_GET_PAGE, 1, 0, 7, -EEMPTY); /* is no get */
    put_get(guest, TMEM_PUT_PAGE, 1, 0, 1, 1);
    put_get(guest, TMEM_PUT_PAGE, 1, 1, 2, 1);
    put_get(guest, TMEM_PUT_PAGE, 2, 0, 3, 1);
    put_get(guest, TMEM_PUT_PAGE, 1, 0, 4, 1);                      /* over an older page */
    put_get(guest, TMEM_PUT_PAGE, 1, 1, XEN_FRAME_ABSENT, -EFAULT); /* which goes */
    put_get(guest, TMEM_PUT_PAGE, 5, 5, XEN_FRAME_ABSENT, -EFAULT); /* nothing goes */
    put_get(guest, TMEM_GET_PAGE, 1, 0, 7, 1);
    put_get(guest, TMEM_GET_PAGE, 1, 9, 7, 0);
    put_get(guest, TMEM_GET_PAGE, 1, 0, XEN_FRAME_READ_ONLY, -EFAULT);
    put_get(guest, TMEM_FLUSH_PAGE, 1, 0, 0, 1);
    put_get(guest, TMEM_FLUSH_PAGE, 1, 0, 0, 1);
    put_get(guest, TMEM_FLUSH_OBJECT, 1, 0, 0, 1);
    put_get(guest, TMEM_FLUSH_OBJECT, 2, 0, 0, 1);
    put_get(guest, TMEM_PUT_PAGE, 3, 0, 3, 1);
    struct list_line line = find_line(list(11, true), 'P', NULL, 0);
    assert_string_equal(line.text, "P=CI:11,PI:0,PT:PP,U0:0,U1:0,Pc:1,Pm:3,Oc:1,Om:1,Nc:0,Nm:0,"
                                   "ps:5,pt:7,pd:1,pr:1,px:1,gs:1,gt:3,fs:1,ft:2,os:1,ot:2");
    close_world();
}

static void a_client_line_counts_gets_and_puts_by_kind(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    struct xen_guest *guest = guests[0];
    assert_int_equal(xen_new(guest, PERSISTENT, 0, 0), 0);
    assert_int_equal(xen_new(guest, EPHEMERAL, 0, 0), 1);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(xen_page(guest, TMEM_PUT_PAGE, 0, 1, i, 1, NULL), 1);
        assert_int_equal(xen_page(guest, TMEM_PUT_PAGE, 1, 1, i, 2, NULL), 1);
    }
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(xen_page(guest, TMEM_GET_PAGE, 0, 1, i, 7, NULL), 1);
    assert_int_equal(xen_page(guest, TMEM_GET_PAGE, 1, 1, 3, 7, NULL), 1);
    struct list_line line = find_line(list(11, true), 'C', NULL, 0);
    assert_string_equal(line.text, "C=CI:11,ww:0,co:0,fr:0,Tc:0,Ge:1,Pp:6,Gp:4,Ec:5,Em:6,cp:0,cb:0,cn:0,cm:0");
    assert_int_equal(xen_control(tools, TMEM_CONTROL_FREEZE, 11, 0, 0, 0), 0);
    line = find_line(list(11, false), 'C', NULL, 0);
    assert_int_equal(list_value(&line, "fr"), 1);
    close_world();
}

static void the_first_line_counts_all_operations_and_errors(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    fill_world(); /* eight pools and three pages */
    struct list_line line = find_line(list(TMEM_CLIENT_ALL, true), 'G', NULL, 0);
    assert_int_equal(list_value(&line, "Tt"), 11);
    assert_int_equal(list_value(&line, "Te"), 0);
    assert_int_equal(list_value(&line, "Ec"), 3);
    assert_int_equal(list_value(&line, "Pc"), 3);
    assert_int_equal(list_value(&line, "Oc"), 3);
    assert_int_equal(list_value(&line, "Ep"), 3);
    assert_true(list_value(&line, "Fc") > 0);
    put_get(guests[0], TMEM_PUT_PAGE, 5, 0, XEN_FRAME_ABSENT, -EFAULT);
    assert_int_equal(xen_page(guests[0], TMEM_GET_PAGE, 9, 0, 0, 7, NULL), -ENODEV);
    guests[1]->is_denied = true; /* not counted */
    assert_int_equal(xen_page(guests[1], TMEM_GET_PAGE, 0, 0, 0, 7, NULL), -EPERM);
    tmem_xen_domain_kill(guests[2]->domain);
    put_get(guests[2], TMEM_GET_PAGE, 5, 2, 7, -ENODEV);
    line = find_line(list(TMEM_CLIENT_ALL, true), 'G', NULL, 0);
    assert_int_equal(list_value(&line, "Tt"), 14);
    assert_int_equal(list_value(&line, "Te"), 3);
    assert_int_equal(list_value(&line, "Cf"), 1);
    assert_int_equal(list_value(&line, "Ec"), 1);
    assert_int_equal(list_value(&line, "Em"), 3);
    assert_int_equal(list_value(&line, "Fp"), 1); /* the shared one of the dead has others */
    assert_int_equal(list_value(&line, "Ep"), 3);
    close_world();
}

static void what_domains_counted_stays_when_they_are_gone(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    fill_world();
    struct list_line before = find_line(list(TMEM_CLIENT_ALL, true), 'G', NULL, 0);
    for (unsigned i = 0; i < 3; i++)
        tmem_xen_domain_destroy(guests[i]->domain);
    struct list_line line = find_line(list(TMEM_CLIENT_ALL, true), 'G', NULL, 0);
    assert_int_equal(list_value(&line, "Tt"), list_value(&before, "Tt"));
    assert_int_equal(list_value(&line, "Ep"), 3);
    assert_int_equal(list_value(&line, "Pc"), 0);
    assert_int_equal(list_value(&line, "Pm"), 3);
    assert_int_equal(list_value(&line, "Fp"), 6);
    expect_list(list(TMEM_CLIENT_ALL, true), TMEM_XEN_RELEASE_4_12, true, "GT");
    close_world();
}

static void memory_given_back_is_counted(void **state)
{
    (void)state;
    open_world(TMEM_XEN_RELEASE_4_12);
    assert_int_equal(xen_new(guests[0], EPHEMERAL, 0, 0), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        xen_guest_fill(guests[0], 1, 5000 + i);
        put_get(guests[0], TMEM_PUT_PAGE, 1, i, 1, 1);
    }
    long freeable_mib = xen_control(tools, TMEM_CONTROL_QUERY_FREEABLE_MB, 0, 0, 0, 0);
    assert_true(freeable_mib >= 2 && freeable_mib <= 16);
    long freed_kib = xen_control(tools, TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 0, 0, 2048);
    assert_true(freed_kib >= 2048);
    struct list_line line = find_line(list(TMEM_CLIENT_ALL, true), 'G', NULL, 0);
    assert_int_equal(list_value(&line, "Ra"), 1);
    assert_int_equal(list_value(&line, "Rt"), (uint64_t)freed_kib / 4);
    assert_true(list_value(&line, "Et") > 0);
    assert_int_equal(list_value(&line, "Rx"), list_value(&line, "Et"));
    assert_int_equal(list_value(&line, "Lm"), 0);
    assert_true(xen_control(tools, TMEM_CONTROL_FLUSH, TMEM_CLIENT_ALL, 0, 0, 1u << 30) >= 0);
    line = find_line(list(TMEM_CLIENT_ALL, true), 'G', NULL, 0);
    assert_int_equal(list_value(&line, "Lm"), 1); /* there was less than that */
    close_world();
}

/* ---- buffers ---- */

static void a_small_buffer_gets_whole_lines_and_the_result_says_so(void **state)
{
    (void)state;
    static char whole[8192];
    open_world(TMEM_XEN_RELEASE_4_12);
    fill_world();
    size_t length = strlen(list(TMEM_CLIENT_ALL, false));
    assert_true(length < sizeof whole);
    memcpy(whole, tools->buffer, length + 1);
    for (uint32_t room = 0; room <= length + 1; room++) {
        memset(tools->buffer, '#', sizeof tools->buffer);
        long result = xen_control(tools, TMEM_CONTROL_LIST, TMEM_CLIENT_ALL, 0, room, 0);
        assert_int_equal(result, room > length ? 0 : -ENOBUFS);
        assert_int_equal(tools->buffer[room], '#');
        if (room == 0)
            continue;
        size_t got = strlen((char *)tools->buffer);
        assert_true(got < room);
        assert_memory_equal(tools->buffer, whole, got);
        assert_true(got == 0 || whole[got - 1] == '\n');
        /* All that fit: the next line would not. */
        const char *next_end = strchr(whole + got, '\n');
        assert_true(got == length || (size_t)(next_end + 1 - whole) >= room);
    }
    tools->is_unreadable = true;
    assert_int_equal(xen_control(tools, TMEM_CONTROL_LIST, TMEM_CLIENT_ALL, 0, 4096, 0), -EFAULT);
    close_world();
}

static void a_list_of_many_clients_is_whole(void **state)
{
    (void)state;
    static struct xen_guest *many[MANY];
    open_world(TMEM_XEN_RELEASE_4_12);
    for (uint32_t i = 0; i < MANY; i++) {
        many[i] = xen_guest_create(&world, 100 + i, TMEM_XEN_RELEASE_4_12, TMEM_XEN_ABI_X86_64, UINT64_MAX);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(xen_new(many[i], k == 1 ? PERSISTENT : EPHEMERAL, 0, 0), k);
    }
    const char *text = list(TMEM_CLIENT_ALL, true);
    struct list_line line;
    unsigned clients = 0, pools = 0;
    assert_true(strlen(text) > 32768); /* more than the tools' buffer */
    while (list_next(&text, &line)) {
        clients += line.kind == 'C';
        pools += line.kind == 'P';
    }
    assert_int_equal(clients, MANY);
    assert_int_equal(pools, 3 * MANY);
    assert_int_equal(xen_control(tools, TMEM_CONTROL_LIST, TMEM_CLIENT_ALL, 0, 32768, 1), -ENOBUFS);
    close_world();
    for (unsigned i = 0; i < MANY; i++)
        xen_guest_free(many[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_have_the_lines_and_keys_of_each_release),
        cmocka_unit_test(clients_come_in_the_order_of_their_first_operation),
        cmocka_unit_test(each_shared_pool_has_a_line_of_its_own_with_all_who_share_it),
        cmocka_unit_test(a_sharers_line_shows_the_owners_number),
        cmocka_unit_test(a_pool_line_counts_what_was_asked_and_answered),
        cmocka_unit_test(a_client_line_counts_gets_and_puts_by_kind),
        cmocka_unit_test(the_first_line_counts_all_operations_and_errors),
        cmocka_unit_test(what_domains_counted_stays_when_they_are_gone),
        cmocka_unit_test(memory_given_back_is_counted),
        cmocka_unit_test(a_small_buffer_gets_whole_lines_and_the_result_says_so),
        cmocka_unit_test(a_list_of_many_clients_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
