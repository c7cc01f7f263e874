/* SPDX-License-Identifier: BSD-2-Clause */
/* screen.c - see screen.h. */
#include "screen.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct screen {
    struct top_source *source;
    struct top_sample before;
    struct top_sample now;
    struct top_table table;
    char problem[512]; /* empty: none */
    enum top_order order;
    bool with_pools;
    size_t first; /* line of the table below the heading */
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* The next sample; where there is none, what was shown last stays, with the reason below it. */
static void look(struct screen *screen)
{
    struct top_sample next;
    screen->problem[0] = '\0';
    if (top_sample_take(screen->source, &next, screen->problem, sizeof screen->problem) != TM_EXIT_OK)
        return;
    top_sample_free(&screen->before);
    screen->before = screen->now;
    screen->now = next;
}

static void make_table(struct screen *screen)
{
    if (!top_table_make(&screen->table, &screen->before, &screen->now, screen->order, screen->with_pools))
        (void)snprintf(screen->problem, sizeof screen->problem, "no memory");
    size_t rows = screen->table.count - screen->table.heading;
    if (screen->first >= rows)
        screen->first = rows == 0 ? 0 : rows - 1u;
}

static void draw(const struct screen *screen)
{
    const struct top_table *table = &screen->table;
    size_t height = LINES > 1 ? (size_t)LINES - 1u : 0;
    (void)erase();
    for (size_t row = 0; row < height; row++) {
        size_t line = row < table->heading ? row : row + screen->first;
        if (line >= table->count)
            break;
        bool is_title = row + 1u == table->heading;
        if (is_title)
            (void)attron(A_REVERSE);
        (void)mvaddnstr((int)row, 0, table->lines[line], COLS);
        if (is_title)
            (void)attroff(A_REVERSE);
    }
    if (LINES > 0) {
        char help[128];
        (void)snprintf(help, sizeof help, "q quit  p pools  s order (%s)  arrows move", top_order_name(screen->order));
        (void)mvaddnstr(LINES - 1, 0, screen->problem[0] != '\0' ? screen->problem : help, COLS);
    }
    (void)refresh();
}

/* False: the user has seen enough. */
static bool obey(struct screen *screen, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 'p':
        screen->with_pools = !screen->with_pools;
        break;
    case 's':
        screen->order = (enum top_order)((screen->order + 1u) % TOP_ORDERS);
        break;
    case KEY_DOWN:
        screen->first++;
        break;
    case KEY_UP:
        screen->first -= screen->first != 0;
        break;
    case KEY_NPAGE:
        screen->first += (size_t)LINES / 2u;
        break;
    case KEY_PPAGE:
        screen->first -= screen->first < (size_t)LINES / 2u ? screen->first : (size_t)LINES / 2u;
        break;
    default:
        break; /* KEY_RESIZE too: it is drawn anew */
    }
    return true;
}

static void show(struct screen *screen, unsigned interval_ms)
{
    uint64_t next_ms = 0;
    bool goes_on = true;
    while (goes_on) {
        uint64_t time_ms = now_ms();
        if (time_ms >= next_ms) {
            look(screen);
            next_ms = time_ms + interval_ms;
        }
        make_table(screen);
        draw(screen);
        timeout((int)(next_ms - time_ms));
        int key = getch();
        goes_on = key == ERR || obey(screen, key);
    }
}

enum tm_exit top_screen_run(struct top_source *source, unsigned interval_ms, bool with_pools)
{
    struct screen screen = {.source = source, .with_pools = with_pools};
    /* With a daemon that was never there, a message is of more use than an empty screen. */
    enum tm_exit code = top_sample_take(source, &screen.now, screen.problem, sizeof screen.problem);
    if (code != TM_EXIT_OK)
        return tm_fail(code, "top: %s", screen.problem);
    SCREEN *terminal = top_terminal_is_known() ? newterm(NULL, stdout, stdin) : NULL;
    if (terminal == NULL) {
        const char *name = getenv("TERM");
        top_sample_free(&screen.now);
        return tm_fail(TM_EXIT_FAILED, "top: cannot use the terminal '%s' (is TERM right? try: tmem top --once)",
                       name != NULL ? name : "");
    }
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)curs_set(0);
    show(&screen, interval_ms);
    (void)endwin();
    delscreen(terminal);
    top_table_free(&screen.table);
    top_sample_free(&screen.before);
    top_sample_free(&screen.now);
    return TM_EXIT_OK;
}
