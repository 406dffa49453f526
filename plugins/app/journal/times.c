/* times.c - UTC as text and back. The calendar is counted in eras of 400 years that begin on 1
 * March. */
#include "journal.h"

enum { DAY_S = 86400 };

static void civil_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097,
            of_era = shifted - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100),
            shifted_month = (5 * of_year + 2) / 153;

    *day = of_year - (153 * shifted_month + 2) / 5 + 1;
    *month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t shifted = month <= 2 ? year - 1 : year,
            era = (shifted >= 0 ? shifted : shifted - 399) / 400;
    int64_t year_of_era = shifted - era * 400,
            of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year -
           719468;
}

static bp_str format(bp_call *call, int64_t seconds, const char *pattern)
{
    int64_t days = (seconds >= 0 ? seconds : seconds - DAY_S + 1) / DAY_S,
            of_day = seconds - days * DAY_S, year, month, day;

    civil_of(days, &year, &month, &day);
    return bp_format(call, pattern, (int)year, (int)month, (int)day, (int)(of_day / 3600),
                     (int)(of_day / 60 % 60), (int)(of_day % 60));
}

bp_str time_text(bp_call *call, int64_t seconds)
{
    return format(call, seconds, "%04d-%02d-%02d %02d:%02d:%02d");
}
bp_str time_iso(bp_call *call, int64_t seconds)
{
    return format(call, seconds, "%04d-%02d-%02dT%02d:%02d:%02dZ");
}

bp_str date_text(bp_call *call, int64_t seconds)
{
    return bp_str_n(time_text(call, seconds).data, 10);
}

int64_t time_now(void)
{
    return bp_wall_ns() / BP_SECONDS(1);
}

/* `count` digits at `at`; -1 when there are none. */
static int64_t digits(bp_str text, size_t at, size_t count)
{
    int64_t value = 0;

    for (size_t i = at; i < at + count; i++) {
        if (i >= text.len || text.data[i] < '0' || text.data[i] > '9')
            return -1;
        value = value * 10 + text.data[i] - '0';
    }
    return value;
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool             is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

static bool read_date(bp_str text, int64_t *days)
{
    int64_t year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);

    if (text.len < 10 || text.data[4] != '-' || text.data[7] != '-' || year < 1 || month < 1 ||
        month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *days = days_of(year, month, day);
    return true;
}

bool date_is_valid(bp_str text)
{
    int64_t days;

    return text.len == 10 && read_date(text, &days);
}

bool time_read(bp_str text, int64_t *seconds)
{
    int64_t days, hours = digits(text, 11, 2), minutes = digits(text, 14, 2),
                  of_minute = digits(text, 17, 2);

    if (!read_date(text, &days))
        return false;
    *seconds = days * DAY_S;
    if (text.len == 10)
        return true;
    if ((text.data[10] != ' ' && text.data[10] != 'T') || hours < 0 || hours > 23 || minutes < 0 ||
        minutes > 59)
        return false;
    *seconds += hours * 3600 + minutes * 60 + (of_minute > 0 ? of_minute : 0);
    return true;
}

bool duration_read(bp_str text, int64_t *seconds)
{
    static const struct {
        char    unit;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY_S } };
    int64_t number = text.len > 1 && text.len < 10 ? digits(text, 0, text.len - 1) : -1;

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && number >= 0; i++) {
        if (text.data[text.len - 1] == units[i].unit) {
            *seconds = number * units[i].seconds;
            return true;
        }
    }
    return false;
}
