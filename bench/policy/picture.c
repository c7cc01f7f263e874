/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * picture.c - hit ratio over size as SVG: a row of panels for each class, without the scan and with it, and one
 * colour for each order.
 */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 400.0 /* of a panel */
#define HEIGHT 230.0
#define MARGIN 45.0
#define TOP 70.0
#define COLUMNS 2u

static const char *const colours[POLICY_CONTESTANTS] = {
    [POLICY_LRU] = "#8c8c8c",
    [POLICY_CLOCK] = "#c0a080",
    [POLICY_SIEVE] = "#e0a000",
    [POLICY_S3_FIFO] = "#2a9d3a",
    [POLICY_ARC] = "#2070d0",
    [POLICY_LIRS] = "#9040c0",
    [POLICY_IN_USE] = "#d02020",
    [POLICY_BEST] = "#000000",
};

struct panel {
    double left;
    double top;
    unsigned from; /* percent, at the left edge */
    unsigned to;
};

static double x_of(const struct panel *panel, unsigned percent)
{
    double share = panel->to == panel->from ? 0.5 : (double)(percent - panel->from) / (double)(panel->to - panel->from);
    return panel->left + MARGIN + share * (WIDTH - 2.0 * MARGIN);
}

static double y_of(const struct panel *panel, double ratio)
{
    return panel->top + HEIGHT - MARGIN - ratio * (HEIGHT - 2.0 * MARGIN);
}

static bool belongs(const struct policy_cell *cell, unsigned class, bool has_scan)
{
    return cell->class == class && cell->has_scan == has_scan;
}

/* What the panel's axis spans. False: there is nothing to show. */
static bool span_of(const struct policy_cells *cells, unsigned class, bool has_scan, struct panel *panel)
{
    bool found = false;
    for (unsigned i = 0; i < cells->count; i++) {
        const struct policy_cell *cell = &cells->cell[i];
        if (!belongs(cell, class, has_scan))
            continue;
        if (!found || cell->percent < panel->from)
            panel->from = cell->percent;
        if (!found || cell->percent > panel->to)
            panel->to = cell->percent;
        found = true;
    }
    return found;
}

static void draw_axes(FILE *file, const struct policy_cells *cells, unsigned class, bool has_scan,
                      const struct panel *panel)
{
    (void)fprintf(file, "<text x=\"%.0f\" y=\"%.0f\" font-weight=\"bold\">%s, %s%s</text>\n", panel->left + MARGIN,
                  panel->top + MARGIN - 12.0, cells->class[class].trace,
                  cells->class[class].is_behind ? "behind the kernel's cache" : "direct",
                  has_scan ? ", with a scan" : "");
    for (unsigned tick = 0; tick <= 4; tick++) {
        double y = y_of(panel, tick / 4.0);
        (void)fprintf(file, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/>\n",
                      panel->left + MARGIN, y, panel->left + WIDTH - MARGIN, y);
        (void)fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%u</text>\n", panel->left + MARGIN - 6.0,
                      y + 4.0, tick * 25u);
    }
    for (unsigned i = 0; i < cells->count; i++)
        if (belongs(&cells->cell[i], class, has_scan))
            (void)fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%u %%</text>\n",
                          x_of(panel, cells->cell[i].percent), panel->top + HEIGHT - MARGIN + 16.0,
                          cells->cell[i].percent);
}

static void draw_lines(FILE *file, const struct policy_cells *cells, unsigned class, bool has_scan,
                       const struct panel *panel)
{
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++) {
        (void)fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"%s points=\"", colours[who],
                      who == POLICY_IN_USE ? "2.6" : "1.3", who == POLICY_BEST ? " stroke-dasharray=\"4 3\"" : "");
        for (unsigned i = 0; i < cells->count; i++)
            if (belongs(&cells->cell[i], class, has_scan))
                (void)fprintf(file, "%.1f,%.1f ", x_of(panel, cells->cell[i].percent),
                              y_of(panel, policy_hit_ratio(&cells->cell[i], (enum policy_contestant)who)));
        (void)fputs("\"/>\n", file);
    }
}

static void draw_legend(FILE *file)
{
    (void)fputs("<text x=\"45\" y=\"24\" font-size=\"15\" font-weight=\"bold\">Hit ratio in percent, over the size of "
                "the store in percent of the pages that are read</text>\n",
                file);
    for (unsigned who = 0; who < POLICY_CONTESTANTS; who++) {
        double x = MARGIN + who * 92.0;
        (void)fprintf(file,
                      "<line x1=\"%.0f\" y1=\"46\" x2=\"%.0f\" y2=\"46\" stroke=\"%s\" stroke-width=\"3\"/>"
                      "<text x=\"%.0f\" y=\"50\">%s</text>\n",
                      x, x + 20.0, colours[who], x + 25.0, policy_contestant_name((enum policy_contestant)who));
    }
}

static void draw(FILE *file, const struct policy_cells *cells)
{
    double height = TOP + cells->classes * HEIGHT;
    (void)fprintf(file,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
                  "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
                  WIDTH * COLUMNS, height);
    draw_legend(file);
    for (unsigned i = 0; i < cells->classes * COLUMNS; i++) {
        unsigned class = i / COLUMNS;
        bool has_scan = i % COLUMNS != 0;
        struct panel panel = {.left = has_scan ? WIDTH : 0.0, .top = TOP + class * HEIGHT};
        if (!span_of(cells, class, has_scan, &panel))
            continue;
        draw_axes(file, cells, class, has_scan, &panel);
        draw_lines(file, cells, class, has_scan, &panel);
    }
    (void)fputs("</svg>\n", file);
}

enum tm_exit policy_picture(const struct policy_cells *cells, const char *path)
{
    char cause[TM_ERROR_TEXT_SIZE];
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return tm_fail(tm_exit_of_error(errno), "cannot write %s: %s (try: another --picture FILE)", path,
                       tm_error_text(errno, cause));
    draw(file, cells);
    bool is_good = ferror(file) == 0;
    if (fclose(file) != 0 || !is_good)
        return tm_fail(TM_EXIT_FAILED, "cannot write %s: %s", path, tm_error_text(errno, cause));
    return TM_EXIT_OK;
}
