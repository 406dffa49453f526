/* dates.c - dates as people write them and as git and Python show them. */
#define _GNU_SOURCE
#include "git.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

static void broken_down(const git_time *when, struct tm *tm)
{
    time_t local = (time_t)(when->time + (int64_t)when->offset * 60);

    if (!gmtime_r(&local, tm))
        memset(tm, 0, sizeof(*tm));
}

void date_format(const git_time *when, bool is_iso, char text[40])
{
    int       minutes = when->offset < 0 ? -when->offset : when->offset;
    char      sign = when->offset < 0 ? '-' : '+';
    struct tm tm;

    broken_down(when, &tm);
    minutes %= 100 * 60;
    snprintf(text, 40,
             is_iso ? "%04d-%02d-%02d %02d:%02d:%02d %c%02d%02d"
                    : "%04d-%02d-%02d %02d:%02d:%02d%c%02d:%02d",
             (tm.tm_year + 1900) % 100000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
             tm.tm_sec, sign, minutes / 60, minutes % 60);
}

/* ---- reading ---- */

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t' || *text == ',')
        text++;
    return text;
}

/* Up to `digits` digits; NULL when there is none. */
static const char *read_number(const char *text, int digits, int *value)
{
    const char *at = text;

    for (*value = 0; at - text < digits && isdigit((unsigned char)*at); at++)
        *value = *value * 10 + (*at - '0');
    return at == text ? NULL : at;
}

static const char *read_month(const char *text, int *month)
{
    static const char names[12][10] = { "january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december" };
    size_t            len = 0;

    while (isalpha((unsigned char)text[len]))
        len++;
    for (int i = 0; i < 12 && len >= 3; i++) {
        if (strncasecmp(text, names[i], len) == 0) {
            *month = i;
            return text + len;
        }
    }
    return NULL;
}

/* "14:30", "14:30:25", "14:30:25.123" and then perhaps "Z" or "+01:00". */
static const char *read_clock(const char *at, struct tm *tm, bool *has_zone, int *zone_minutes)
{
    int hours, minutes;

    if (!(at = read_number(at, 2, &tm->tm_hour)) || *at++ != ':' ||
        !(at = read_number(at, 2, &tm->tm_min)))
        return NULL;
    if (*at == ':' && !(at = read_number(at + 1, 2, &tm->tm_sec)))
        return NULL;
    if (*at == '.')
        for (at++; isdigit((unsigned char)*at);)
            at++;
    at = skip_blanks(at);
    if (*at == 'Z' || *at == 'z') {
        *has_zone = true;
        return at + 1;
    }
    if (*at == '+' || *at == '-') {
        int sign = *at == '-' ? -1 : 1;

        if (!(at = read_number(at + 1, 2, &hours)))
            return NULL;
        at += *at == ':';
        if (!(at = read_number(at, 2, &minutes)))
            return NULL;
        *has_zone = true;
        *zone_minutes = sign * (hours * 60 + minutes);
    }
    return at;
}

/* "2024-01-15", "2024/01/15", "Jan 15 2024", "15 Jan 2024". */
static const char *read_day(const char *text, struct tm *tm)
{
    const char *at = read_number(text, 4, &tm->tm_year);

    if (at && at - text == 4 && (*at == '-' || *at == '/')) {
        char separator = *at;

        if (!(at = read_number(at + 1, 2, &tm->tm_mon)) || *at++ != separator ||
            !(at = read_number(at, 2, &tm->tm_mday)))
            return NULL;
        tm->tm_mon--;
    } else {
        at = read_month(text, &tm->tm_mon);
        if (at)
            at = read_number(skip_blanks(at), 2, &tm->tm_mday);
        else if ((at = read_number(text, 2, &tm->tm_mday)) != NULL)
            at = read_month(skip_blanks(at), &tm->tm_mon);
        if (!at || !(at = read_number(skip_blanks(at), 4, &tm->tm_year)))
            return NULL;
    }
    tm->tm_year -= 1900;
    return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31 ? at : NULL;
}

static bool read_absolute(const char *text, bool is_end, int64_t *seconds)
{
    struct tm   tm = { .tm_isdst = -1 };
    bool        has_zone = false;
    int         zone_minutes = 0;
    const char *at = read_day(text, &tm);

    if (!at)
        return false;
    at = skip_blanks(at);
    at += *at == 'T' && isdigit((unsigned char)at[1]);
    if (*at) {
        if (!(at = read_clock(at, &tm, &has_zone, &zone_minutes)))
            return false;
    } else if (is_end) {
        tm.tm_hour = 23;
        tm.tm_min = tm.tm_sec = 59;
    }
    if (*skip_blanks(at) || tm.tm_hour > 24 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    *seconds = has_zone ? (int64_t)timegm(&tm) - zone_minutes * 60 : (int64_t)mktime(&tm);
    return true;
}

static bool read_relative(const char *text, int64_t now_s, int64_t *seconds)
{
    static const struct {
        const char *name;
        int64_t     seconds;
        int         months;
    } units[] = { { "second", 1, 0 },  { "minute", 60, 0 },   { "hour", 3600, 0 },
                  { "day", 86400, 0 }, { "week", 604800, 0 }, { "month", 0, 1 },
                  { "year", 0, 12 } };
    int         count;
    size_t      len = 0;
    const char *at = read_number(text, 6, &count);
    time_t      then = (time_t)now_s;
    struct tm   tm;

    if (!at) {
        at = strncasecmp(text, "a ", 2) == 0      ? text + 1
             : strncasecmp(text, "last ", 5) == 0 ? text + 4
                                                  : text;
        count = 1;
    }
    at = skip_blanks(at);
    at += *at == '.';
    while (isalpha((unsigned char)at[len]))
        len++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t      name_len = strlen(units[i].name);
        const char *rest = skip_blanks(at + len);

        if (strncasecmp(at, units[i].name, name_len) != 0 ||
            (len != name_len && (len != name_len + 1 || at[name_len] != 's')))
            continue;
        rest += *rest == '.';
        if (*rest && strcasecmp(rest, "ago") != 0)
            return false;
        if (!units[i].months) {
            *seconds = now_s - count * units[i].seconds;
            return true;
        }
        if (!localtime_r(&then, &tm))
            return false;
        tm.tm_mon -= count * units[i].months;
        tm.tm_isdst = -1;
        *seconds = (int64_t)mktime(&tm);
        return true;
    }
    return false;
}

bool date_parse(const char *text, int64_t now_s, bool is_end, int64_t *seconds)
{
    static const struct {
        const char *name;
        int64_t     ago_s;
    } words[] = { { "now", 0 }, { "today", 0 }, { "yesterday", 86400 } };
    const char *at;
    int64_t     epoch = 0;

    text = skip_blanks(text);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i].name) != 0)
            continue;
        *seconds = now_s - words[i].ago_s;
        return true;
    }
    at = text + (*text == '@'); // seconds since 1970
    for (size_t len = 0; isdigit((unsigned char)at[len]) && len < 15; len++) {
        epoch = epoch * 10 + (at[len] - '0');
        if (!at[len + 1] && (*text == '@' || len >= 8)) {
            *seconds = epoch;
            return true;
        }
    }
    return read_absolute(text, is_end, seconds) || read_relative(text, now_s, seconds);
}
